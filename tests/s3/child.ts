import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Endpoint, ROOT } from './fixture.ts';

/** The server as a process of its own, as the supervisor starts it: to be killed, and to be measured. */
export interface ServerProcess extends Endpoint {
  child: ChildProcess;
  /** SIGKILL; settles when the process is gone. */
  kill: () => Promise<void>;
  /** Largest resident memory so far, MiB; Linux only. */
  peakMemoryMib: () => Promise<number>;
  output: () => string;
}

export const INBOX = { accessKey: 'inbox-key', secretKey: 'inbox-secret-0123456789' };

const MAIN = new URL('../../infra/embedded/s3/main.ts', import.meta.url);

export async function startProcess(
  dataFolder: string,
  mqttUrl = 'mqtt://127.0.0.1:1',
): Promise<ServerProcess> {
  const secretsFolder = join(dataFolder, 'secrets');
  await mkdir(secretsFolder, { recursive: true, mode: 0o700 });
  const secrets = {
    's3-access-key': ROOT.accessKey,
    's3-secret-key': ROOT.secretKey,
    's3-inbox-access-key': INBOX.accessKey,
    's3-inbox-secret-key': INBOX.secretKey,
    'mqtt-objects-password': randomBytes(8).toString('hex'),
  };
  for (const [name, value] of Object.entries(secrets)) {
    await writeFile(join(secretsFolder, name), `${value}\n`, { flag: 'wx', mode: 0o600 }).catch(() => {});
  }
  const child = fork(MAIN, {
    env: {
      PATH: process.env.PATH ?? '',
      AIMA_DATA_DIR: dataFolder,
      AIMA_SECRETS_DIR: secretsFolder,
      AIMA_S3_PORT: '0',
      AIMA_MQTT_URL: mqttUrl,
    },
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => {
      output += data;
    });
  }
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve((message as { type: 'ready'; port: number }).port));
    child.once('exit', () => reject(new Error(`the server did not start:\n${output}`)));
  });
  return {
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    ...ROOT,
    child,
    output: () => output,
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    close: async () => {
      child.kill('SIGTERM');
      await exited;
    },
    peakMemoryMib: async () => {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
    },
  };
}
