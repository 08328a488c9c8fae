/**
 * A machine rented elsewhere: the worker runs in a network namespace of its own, from where it reaches
 * this server by its public address and nothing else. Where there can be none, for want of root or
 * iproute2, it uses the same address on this machine, and what a stranger can reach stays untried.
 */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import mqtt from 'mqtt';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scramVerifier } from '../../functions/core/instances/credentials.ts';
import { ResultDocument } from '../../functions/core/results/schema.ts';
import { readCertificate } from '../../infra/certificate/certificate.ts';
import { insertInstance } from '../database/fresh.ts';
import { testMedia } from '../media/test-media.ts';
import type { StartContainer } from '../providers/simulator/market.ts';
import { accountKey, type Simulator } from '../providers/simulator/server.ts';
import { startVast } from '../providers/simulator/vast.ts';
import { type Client, startClient } from '../thread/client.ts';
import { type Namespace, openNamespace } from './namespace.ts';

const project = join(import.meta.dirname, '..', '..');
const opened = await openNamespace();
const namespace: Pick<Namespace, 'here' | 'command'> = opened ?? {
  here: '127.0.0.1',
  command: (program, ...args) => [program, args],
};

describe('a worker on another machine', () => {
  let simulator: Simulator;
  let client: Client;
  /** Of each container that was started: the environment, and what it printed. */
  const containers: { env: Record<string, string>; output: string }[] = [];

  const startContainer: StartContainer = (_machine, _market, environment) => {
    const container = { env: { ...environment, AIMA_DEVICE: 'cpu' }, output: '' };
    containers.push(container);
    const child = startWorker(container.env, (text) => {
      container.output += text;
    });
    return { kill: () => child.kill('SIGKILL'), ended: once(child, 'exit').then(() => undefined) };
  };

  function startWorker(env: Record<string, string>, onText: (text: string) => void) {
    const [program, args] = namespace.command(process.execPath, join(project, 'gpu-worker', 'main.ts'));
    const child = spawn(program, args, {
      env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', onText);
    return child;
  }

  beforeAll(async () => {
    simulator = await startVast({ startContainer, acceptMs: 0, pullMs: 0 });
    client = await startClient({
      env: {
        AIMA_PUBLIC_HOST: namespace.here,
        AIMA_PUBLIC_MQTT_PORT: '0',
        AIMA_PUBLIC_S3_PORT: '0',
        AIMA_PROVIDERS: 'vast',
        AIMA_VAST_URL: simulator.url,
        AIMA_WORKER_IMAGE: 'registry.invalid/aima-worker:1',
      },
    });
    await writeFile(join(client.stack.env.AIMA_SECRETS_DIR!, 'vast-api-key'), accountKey);
  });
  afterAll(async () => {
    await client?.remove();
    await simulator?.close();
    await opened?.remove();
  });

  /** Tries addresses from there. */
  async function knock(...doors: { url: string; certificate?: string }[]): Promise<string[]> {
    const script = join(import.meta.dirname, 'knock.ts');
    const [program, args] = namespace.command(process.execPath, script, JSON.stringify(doors));
    const { stdout } = await promisify(execFile)(program, args);
    return JSON.parse(stdout) as string[];
  }

  it('is rented, analyses over TLS alone, rings its bell, and is given back', async () => {
    const listener = await mqtt.connectAsync(client.stack.mqttUrl, {
      protocolVersion: 4,
      username: 'connector',
      password: await client.stack.secret('mqtt-connector-password'),
      clientId: 'listener',
    });
    const rung: string[] = [];
    listener.on('message', (topic) => rung.push(topic));
    await listener.subscribeAsync('aima/leases/#');

    const jobId = await client.send((await testMedia()).clipWebm, { analyses: ['scenes'] });
    expect(await client.finished(jobId)).toMatchObject({ state: 'succeeded', attempt: 1 });
    await client.nothingRuns();

    const [container] = containers;
    const instanceId = container!.env.AIMA_INSTANCE_ID!;
    expect(new URL(container!.env.AIMA_DATABASE_URL!).hostname).toBe(namespace.here);
    const result = ResultDocument.parse(await client.result(jobId));
    // Its picture came by the POST policy.
    expect(result.scenes![0]!.thumbnail).toMatch(/\.webp$/);
    const [job] = await client.sql`select run from jobs where job_id = ${jobId}`;
    expect(job!.run.transferMs).toBeGreaterThan(0);
    const [instance] = await client.sql`select * from instances where instance_id = ${instanceId}`;
    expect(instance).toMatchObject({ provider: 'vast', state: 'terminated', reason: 'done' });
    expect(instance!.worker.providerInstanceId).toBe(instance!.providerInstanceId);
    expect(rung).toEqual(
      expect.arrayContaining([`aima/leases/${instanceId}/ready`, `aima/leases/${instanceId}/finished`]),
    );
    expect(simulator.market.alive()).toEqual([]);
    await listener.endAsync(true);
  }, 240_000);

  it('speaks to nobody else: another certificate than the known one ends it', async () => {
    const { cert } = await generate([{ name: 'commonName', value: namespace.here }], { keyType: 'ec' });
    const [{ env }] = containers as [(typeof containers)[0]];
    let output = '';
    const child = startWorker(
      {
        ...env,
        AIMA_PROVIDER: 'salad', // which ends by exiting
        AIMA_SERVER_CERTIFICATE: Buffer.from(cert).toString('base64'),
      },
      (text) => {
        output += text;
      },
    );
    await once(child, 'exit');
    expect(output).toContain('self-signed certificate');
    expect(output).toContain('the worker ends: it failed');
  });

  it.skipIf(!opened)('finds no other door, and none for another login', async () => {
    const { env, secret } = client.stack;
    const { certificate } = await readCertificate(env.AIMA_SECRETS_DIR!);
    const instanceId = await insertInstance(client.sql);
    await client.sql`
      select open_worker_login(${instanceId}, ${scramVerifier('secret')}, now() + interval '1 hour')`;
    const postgres = (login: string, database = 'aima') =>
      `postgres://${login}@${namespace.here}:${env.AIMA_PUBLIC_POSTGRES_PORT}/${database}`;
    const broker = (scheme: string, login: string) =>
      `${scheme}://${login}@${namespace.here}:${env.AIMA_PUBLIC_MQTT_PORT}`;
    const worker = `aima_worker_${instanceId}:secret`;
    const functions = `aima_functions:${await secret('database-password')}`;
    const superuser = `postgres:${await secret('postgres-password')}`;

    const nobody = expect.stringMatching(/^28000 no pg_hba.conf entry/);
    expect(
      await knock(
        { url: postgres(worker), certificate },
        { url: postgres(worker) },
        { url: postgres(worker, 'postgres'), certificate },
        { url: postgres(functions), certificate },
        { url: postgres(functions) },
        { url: postgres(superuser), certificate },
      ),
    ).toEqual(['in', nobody, nobody, nobody, nobody, nobody]);

    const mqttPassword = await secret('mqtt-functions-password');
    const [own, plain, http] = await knock(
      { url: broker('mqtts', `functions:${mqttPassword}`), certificate },
      { url: broker('mqtt', `functions:${mqttPassword}`) },
      { url: `http://${namespace.here}:${env.AIMA_PUBLIC_S3_PORT}/` },
    );
    expect(own).toMatch(/Not authorized/);
    expect(plain).not.toBe('in');
    expect(http).not.toBe('in');

    const inner = ['GATEWAY', 'S3', 'MQTT', 'MQTT_WS'].map((name) => env[`AIMA_${name}_PORT`]);
    expect(await knock(...inner.map((port) => ({ url: `tcp://${namespace.here}:${port}` })))).toEqual(
      inner.map(() => expect.stringContaining('ECONNREFUSED')),
    );
  });
});
