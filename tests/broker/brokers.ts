import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { type BaseLogin, setBaseLogins } from '../../infra/broker/base-logins.ts';
import { emptyState, saveState } from '../../infra/broker/state.ts';
import { startBroker } from '../../infra/embedded/broker/broker.ts';

export const baseLogins: BaseLogin[] = [
  { username: 'functions', password: 'functions-secret' },
  { username: 'connector', password: 'connector-secret' },
  { username: 'objects', password: 'objects-secret' },
];

export interface RunningBroker {
  url: string;
  wsUrl?: string;
  stop(): Promise<void>;
}

export function temporaryDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'aima-broker-'));
}

/** The embedded broker in this process, with its data in `dataDir`. */
export async function startEmbedded(dataDir: string, port = 0): Promise<RunningBroker> {
  const broker = await startBroker({
    host: '127.0.0.1',
    port,
    wsPort: 0,
    statePath: join(dataDir, 'broker', 'dynamic-security.json'),
    baseLogins,
    log: () => undefined,
  });
  return {
    url: `mqtt://127.0.0.1:${broker.port}`,
    wsUrl: `ws://127.0.0.1:${broker.wsPort}`,
    stop: () => broker.close(),
  };
}

const pluginPath = ['/usr/lib', ...subfolders('/usr/lib'), '/usr/local/lib', '/opt/homebrew/lib']
  .map((folder) => join(folder, 'mosquitto_dynamic_security.so'))
  .find((path) => existsSync(path));
const mosquittoPath = ['mosquitto', '/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(
  (command) => spawnSync(command, ['-h']).error === undefined,
);

export const mosquittoIsInstalled = pluginPath !== undefined && mosquittoPath !== undefined;

function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => join(folder, name));
}

/** A real Mosquitto with its dynamic security plugin, given a state file that the embedded broker's code wrote. */
export async function startMosquitto(dataDir: string): Promise<RunningBroker> {
  if (pluginPath === undefined || mosquittoPath === undefined) throw new Error('mosquitto is not installed');
  const port = await freePort();
  const statePath = join(dataDir, 'dynamic-security.json');
  const configPath = join(dataDir, 'mosquitto.conf');
  const state = emptyState();
  await setBaseLogins(state, baseLogins);
  await saveState(statePath, state);
  const config = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous false',
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    `plugin ${pluginPath}`,
    `plugin_opt_config_file ${statePath}`,
  ];
  await writeFile(configPath, `${config.join('\n')}\n`);
  const child = spawn(mosquittoPath, ['-c', configPath], { stdio: 'ignore' });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    url: `mqtt://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Clients made here are closed by `closeClients`. */
const openClients: MqttClient[] = [];

/** @throws when the broker refuses the login */
export async function connectAs(
  url: string,
  username: string,
  password: string,
  options: IClientOptions = {},
): Promise<MqttClient> {
  const client = await mqtt.connectAsync(url, { username, password, reconnectPeriod: 0, ...options });
  openClients.push(client);
  return client;
}

/** A client that connects as soon as it can, also to a broker that is just starting. */
export function connectLater(
  url: string,
  username: string,
  password: string,
  options: IClientOptions = {},
): MqttClient {
  const client = mqtt.connect(url, { username, password, reconnectPeriod: 50, ...options });
  client.on('error', () => undefined);
  openClients.push(client);
  return client;
}

export async function closeClients(): Promise<void> {
  await Promise.all(openClients.splice(0).map((client) => client.endAsync(true)));
}

/** Everything that arrives at a client, and a wait for the n-th of it. */
export function collect(client: MqttClient) {
  const messages: { topic: string; body: string }[] = [];
  client.on('message', (topic, body) => messages.push({ topic, body: body.toString() }));
  return {
    messages,
    async count(n: number): Promise<void> {
      while (messages.length < n) await new Promise((resolve) => client.once('message', resolve));
    },
  };
}

export function removeDir(dir: string): Promise<void> {
  return rm(dir, { recursive: true, force: true });
}
