/**
 * The whole embedded system for a test: `npm start` as a child process, on a data folder and ports
 * of its own. It ends with `stop`, and by itself when the test's process dies.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLock } from '../../infra/embedded/supervisor/lock.ts';
import { identify, type ProcessIdentity, waitUntilGone } from '../../infra/embedded/supervisor/processes.ts';

export type ServiceName = 'postgres' | 'broker' | 'objects' | 'functions' | 'connector';

export interface StackOptions {
  /** Added to this process's environment; ports are free ones unless named here. */
  env?: NodeJS.ProcessEnv;
  /** Secrets that a person puts there, such as a provider's key. */
  secrets?: Record<string, string>;
  /** Fetch the models that are missing from the models folder, which all stacks share. */
  models?: boolean;
}

export interface Stack {
  dataDir: string;
  /** What the services were told: all AIMA_* addresses, ports and folders. */
  env: Record<string, string>;
  gatewayUrl: string;
  s3Endpoint: string;
  bucket: string;
  mqttUrl: string;
  /** Of the database `aima`: as the functions, and as the superuser. */
  databaseUrl: string;
  superuserUrl: string;
  apiToken: string;
  /** Everything that was printed so far. */
  output(): string;
  secret(name: string): Promise<string>;
  pid(name: ServiceName | 'supervisor'): Promise<number>;
  /** SIGKILL by default; resolves when that process is gone. The supervisor starts a service again. */
  kill(name: ServiceName | 'supervisor', signal?: NodeJS.Signals): Promise<void>;
  /** Starts again on the same data folder and ports, after the supervisor was killed or stopped. */
  startAgain(): Promise<void>;
  /** Stops it in order; the data folder stays until `remove`. */
  stop(): Promise<void>;
  /** Stops it and removes the data folder. */
  remove(): Promise<void>;
}

const START_SCRIPT = join(import.meta.dirname, '..', '..', 'scripts', 'start.ts');
const PORTS = [
  'AIMA_GATEWAY_PORT',
  'AIMA_S3_PORT',
  'AIMA_MQTT_PORT',
  'AIMA_MQTT_WS_PORT',
  'AIMA_POSTGRES_PORT',
];

/** Starts a system and resolves when it is ready. @throws with all it printed when it does not come up. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const dataDir = await realpath(await mkdtemp(join(tmpdir(), 'aima-stack-')));
  await writeSecrets(join(dataDir, 'secrets'), options.secrets ?? {});
  const anyPort = Object.fromEntries(PORTS.map((name) => [name, '0']));
  const firstEnv = { ...process.env, ...anyPort, ...options.env, AIMA_DATA_DIR: dataDir };
  let run = await launch(options, firstEnv).catch(async (error) => {
    await rm(dataDir, { recursive: true, force: true });
    throw error;
  });
  const { env } = run;

  const secret = async (name: string) => (await readFile(join(env.AIMA_SECRETS_DIR!, name), 'utf8')).trim();
  const databaseUrl = async (user: string, passwordName: string) => {
    const url = new URL(env.AIMA_DATABASE_URL!);
    [url.username, url.password] = [user, await secret(passwordName)];
    return url.href;
  };
  async function identity(name: ServiceName | 'supervisor'): Promise<ProcessIdentity> {
    const lock = await readLock(dataDir);
    const found = name === 'supervisor' ? await identify(run.child.pid!) : lock?.children[name];
    if (!found) throw new Error(`no process ${name} in this stack`);
    return found;
  }
  async function stop(): Promise<void> {
    run.child.kill('SIGTERM');
    await run.gone;
  }

  return {
    dataDir,
    env,
    gatewayUrl: env.AIMA_GATEWAY_URL!,
    s3Endpoint: env.AIMA_S3_ENDPOINT!,
    bucket: env.AIMA_S3_BUCKET!,
    mqttUrl: env.AIMA_MQTT_URL!,
    databaseUrl: await databaseUrl('aima_functions', 'database-password'),
    superuserUrl: await databaseUrl('postgres', 'postgres-password'),
    apiToken: await secret('api-token'),
    output: () => run.output(),
    secret,
    pid: async (name) => (await identity(name)).pid,
    async kill(name, signal = 'SIGKILL') {
      const it = await identity(name);
      process.kill(it.pid, signal);
      await waitUntilGone(it, 30_000);
    },
    async startAgain() {
      await run.gone;
      const ports = Object.fromEntries(PORTS.map((name) => [name, env[name]]));
      run = await launch(options, { ...process.env, ...options.env, ...ports, AIMA_DATA_DIR: dataDir });
    },
    stop,
    async remove() {
      await stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function writeSecrets(dir: string, secrets: Record<string, string>): Promise<void> {
  await mkdir(dir, { mode: 0o700 });
  for (const [name, value] of Object.entries(secrets))
    await writeFile(join(dir, name), value, { mode: 0o600 });
}

interface Run {
  child: ChildProcess;
  env: Record<string, string>;
  output(): string;
  gone: Promise<void>;
}

async function launch(options: StackOptions, env: NodeJS.ProcessEnv): Promise<Run> {
  const child = spawn(process.execPath, [START_SCRIPT, ...(options.models ? [] : ['--no-models'])], {
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream!.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const told = await Promise.race([
    new Promise<Record<string, string>>((resolve) => {
      child.on('message', (message: { type: string; env: Record<string, string> }) => {
        if (message.type === 'ready') resolve(message.env);
      });
    }),
    // 'close', not 'exit': only then all that was printed has been read.
    new Promise<never>((_, reject) => {
      child.once('close', () => reject(new Error(`the stack does not start:\n${text}`)));
    }),
  ]);
  return { child, env: told, output: () => text, gone };
}
