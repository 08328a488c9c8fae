/**
 * What an upload to a real object store passes on its way to the queue: the store, Mosquitto with its
 * logins, our connector, our gateway with submit-job, and the Postgres of the tests. Each a process of
 * its own, as on a server; nothing sweeps, so that a job comes by its event or not at all.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { ensureSecrets } from '../../infra/secrets/secrets.ts';
import { baseLogins, closeClients, collect, connectAs, startMosquitto } from '../broker/brokers.ts';
import { type FreshDatabase, freshDatabase, functionsPassword } from '../database/fresh.ts';
import type { Endpoint } from '../s3/fixture.ts';
import { pathOf } from './parts.ts';

const PROJECT = join(import.meta.dirname, '..', '..');

/** What a store is told of its surroundings. */
export interface Surroundings {
  /** A folder that is removed after the test. */
  dir: string;
  mqttUrl: string;
  run: Run;
}

/** Runs one of our programs until the end of the test; resolves once it says that it is ready. */
type Run = (
  program: string,
  env?: Record<string, string>,
) => Promise<{ port?: number; stop(): Promise<void> }>;

export const BRIDGE_TOKEN = 'token-of-the-bridge';

interface Broker {
  url: string;
  stop(): Promise<void>;
  /** On the same port, with the logins it had. */
  startAgain(): Promise<void>;
}

export interface Stand<Store extends Endpoint> {
  store: Store;
  broker: Broker;
  database: FreshDatabase;
  /** Environment of our programs: addresses and the folder of secrets. */
  env: Record<string, string>;
  run: Run;
  /** The jobs of an object, oldest first. */
  jobsOf(key: string): Promise<{ jobId: string; state: string }[]>;
  /** Waits until an object has a job that is no longer `awaiting_upload`, and gives its state. */
  arrived(key: string): Promise<{ jobId: string; state: string }>;
  /** What is published on a topic from now on. */
  hear(topic: string): Promise<ReturnType<typeof collect>>;
  close(): Promise<void>;
}

/** @param startStore starts the object store and makes its bucket `media` */
export async function openStand<Store extends Endpoint>(
  startStore: (around: Surroundings) => Promise<Store>,
): Promise<Stand<Store>> {
  const dir = await mkdtemp(join(tmpdir(), 'aima-real-events-'));
  const secretsDir = await writeSecrets(dir);
  const broker = await startBroker(dir);
  const { PATH = '', HOME = '' } = process.env;
  const env: Record<string, string> = {
    PATH,
    HOME,
    AIMA_SECRETS_DIR: secretsDir,
    AIMA_DATA_DIR: dir,
    AIMA_MQTT_URL: broker.url,
    AIMA_S3_BUCKET: 'media',
  };
  const children: (() => Promise<void>)[] = [];
  const run: Run = async (program, more = {}) => {
    const child = fork(join(PROJECT, program), { env: { ...env, ...more }, silent: true });
    const stop = () => end(child);
    children.push(stop);
    return { ...(await readiness(child, program)), stop };
  };

  const around = { dir, mqttUrl: broker.url, run };
  const [store, database] = await Promise.all([startStore(around), freshDatabase()]);
  await writeFile(join(secretsDir, 's3-access-key'), store.accessKey);
  await writeFile(join(secretsDir, 's3-secret-key'), store.secretKey);
  Object.assign(env, {
    AIMA_DATABASE_URL: new URL(database.url('aima_functions', '')).href,
    AIMA_S3_ENDPOINT: store.url,
    AIMA_S3_REGION: store.region,
  });
  const stack = join(dir, 'stack.yml');
  await writeFile(stack, await stackOf('submit-job'));
  const gateway = await run('infra/embedded/gateway/main.ts', {
    AIMA_STACK_FILE: stack,
    AIMA_HANDLERS: join(PROJECT, 'functions'),
    AIMA_GATEWAY_PORT: '0',
  });
  env.AIMA_GATEWAY_URL = `http://127.0.0.1:${gateway.port}`;
  await run('infra/connector/main.ts');

  const jobsOf: Stand<Store>['jobsOf'] = (key) => database.admin<{ jobId: string; state: string }[]>`
    select job_id, j.state from jobs j join media m using (media_id) where m.object_key = ${key} order by job_id`;
  return {
    store,
    broker,
    database,
    env,
    run,
    jobsOf,
    async arrived(key) {
      for (;;) {
        const job = (await jobsOf(key)).find(({ state }) => state !== 'awaiting_upload');
        if (job) return job;
        await sleep(10);
      }
    },
    async hear(topic) {
      const client = await connectAs(broker.url, 'connector', 'connector-secret');
      const heard = collect(client);
      await client.subscribeAsync(topic, { qos: 1 });
      return heard;
    },
    async close() {
      for (const stop of children.reverse()) await stop();
      await closeClients();
      await store.close();
      await broker.stop();
      await database.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

async function writeSecrets(dir: string): Promise<string> {
  const secretsDir = join(dir, 'secrets');
  await ensureSecrets(secretsDir);
  await writeFile(join(secretsDir, 'bridge-token'), BRIDGE_TOKEN);
  await writeFile(join(secretsDir, 'database-password'), functionsPassword);
  for (const { username, password } of baseLogins) {
    await writeFile(join(secretsDir, `mqtt-${username}-password`), password);
  }
  return secretsDir;
}

async function startBroker(dir: string): Promise<Broker> {
  const folder = join(dir, 'mosquitto');
  await mkdir(folder);
  let running: { stop(): Promise<void> } = await startMosquitto(folder);
  const config = join(folder, 'mosquitto.conf');
  const port = Number(/^listener (\d+)/m.exec(await readFile(config, 'utf8'))![1]);
  await untilOpen(port);
  return {
    url: `mqtt://127.0.0.1:${port}`,
    stop: () => running.stop(),
    async startAgain() {
      const child = spawn(pathOf('mosquitto'), ['-c', config], { stdio: 'ignore' });
      running = { stop: () => end(child) };
      await untilOpen(port);
    },
  };
}

async function untilOpen(port: number): Promise<void> {
  for (;;) {
    const socket = connectTcp(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await sleep(20);
  }
}

/** The project's stack file with one function in it. */
async function stackOf(name: string): Promise<string> {
  const stack = parse(await readFile(join(PROJECT, 'stack.yml'), 'utf8'), { merge: true });
  return stringify({ ...stack, functions: { [name]: stack.functions[name] } });
}

async function readiness(child: ChildProcess, program: string): Promise<{ port?: number }> {
  let printed = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const ended = once(child, 'exit').then(() => null);
  const message = await Promise.race([once(child, 'message'), ended]);
  if (message === null) throw new Error(`${program} did not start:\n${printed}`);
  return message[0] as { port?: number };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}
