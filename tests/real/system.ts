/**
 * A whole server of real parts: Debian's Postgres, Mosquitto with our configuration, MinIO, and our programs
 * as `npm run build` makes them, each started and kept the way its systemd unit does it. What rents
 * machines out is simulated (tests/providers), and a machine is a process with the real worker program,
 * which comes back over TLS as from anywhere.
 */
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ensureCertificate, readCertificate } from '../../infra/certificate/certificate.ts';
import { ensureSecrets, type Secrets } from '../../infra/secrets/secrets.ts';
import { image, type Running } from '../providers/simulated.ts';
import { buildDist, type Dist } from './built.ts';
import { type Command, type Kept, keep } from './kept.ts';
import { placeMinio } from './minio.ts';
import { placeMosquitto } from './mosquitto.ts';
import { placePostgres } from './postgres.ts';
import { forward, freePorts, startSimulator, tlsInFrontOf } from './surroundings.ts';

const run = promisify(execFile);

export interface RealSystemOptions {
  /** The address at which functions and workers reach this machine; default loopback. */
  host?: string;
  /** Network, as a prefix, of functions that run in containers: then our gateway is not started. */
  functionsFrom?: string;
}

export interface RealSystem {
  dist: Dist;
  dir: string;
  /** What our programs are told, and what stack.yml is filled in with. */
  env: Record<string, string | undefined>;
  secrets: Secrets;
  secretsDir: string;
  gatewayPort: number;
  gatewayUrl: string;
  /** As the superuser. */
  databaseUrl: string;
  provider: Running;
  part(name: string): Kept;
  /** Names of all that is kept running, and of the steps. */
  names: string[];
  /** Ends everything at once, as a power cut does. */
  cutPower(): Promise<void>;
  /** Starts everything at once in the order given. */
  boot(order: readonly string[]): void;
  /** What all of it printed. */
  output(): string;
  remove(): Promise<void>;
}

/** Made, not yet started: `boot` does that. */
export async function placeRealSystem(options: RealSystemOptions = {}): Promise<RealSystem> {
  const { host = '127.0.0.1', functionsFrom } = options;
  const isOpen = functionsFrom !== undefined;
  const dir = await mkdtemp(join(tmpdir(), 'aima-real-'));
  await chmod(dir, 0o755);
  const dist = await buildDist();
  const secretsDir = join(dir, 'secrets');
  await run(process.execPath, [dist.service('secrets')], { env: { AIMA_SECRETS_DIR: secretsDir } });
  const secrets = await ensureSecrets(secretsDir);
  await ensureCertificate(secretsDir, host);
  const certificate = await readCertificate(secretsDir);

  const ports = await freePorts(['postgres', 'mqtt', 'ws', 'tls', 's3', 's3Tls', 'gateway', 'provider']);
  const region = 'us-east-1';
  const [postgres, mosquitto, minio] = await Promise.all([
    placePostgres(
      join(dir, 'postgres'),
      ports.postgres!,
      secrets['postgres-password'],
      certificate,
      functionsFrom,
    ),
    placeMosquitto(
      join(dir, 'mosquitto'),
      { mqtt: ports.mqtt!, ws: ports.ws!, tls: ports.tls! },
      certificate,
      [isOpen ? 'container' : 'loopback', 'tls'],
    ),
    placeMinio(join(dir, 'minio'), {
      ...{ port: ports.s3!, mqttPort: ports.mqtt!, region, secrets },
      host: isOpen ? '' : host,
    }),
  ]);
  const { provider, said } = await startSimulator(secretsDir);
  const forwards = [
    await tlsInFrontOf(host, ports.s3!, ports.s3Tls!, certificate),
    await forward(host, ports.provider!, Number(new URL(provider.simulator.url).port)),
  ];
  const gatewayUrl = `http://127.0.0.1:${ports.gateway}`;
  const env = {
    PATH: process.env.PATH,
    AIMA_SECRETS_DIR: secretsDir,
    AIMA_DATA_DIR: join(dir, 'data'),
    AIMA_POSTGRES_URL: `postgres://postgres@127.0.0.1:${ports.postgres}/postgres`,
    AIMA_DATABASE_URL: `postgres://aima_functions@${host}:${ports.postgres}/aima`,
    AIMA_BROKER_LOGINS: mosquitto.loginsFile,
    AIMA_MQTT_URL: `mqtt://${host}:${ports.mqtt}`,
    AIMA_S3_ENDPOINT: `http://${host}:${ports.s3}`,
    AIMA_S3_PUBLIC_ENDPOINT: `http://${host}:${ports.s3}`,
    AIMA_S3_WORKER_ENDPOINT: `https://${host}:${ports.s3Tls}`,
    AIMA_S3_REGION: region,
    AIMA_GATEWAY_URL: gatewayUrl,
    AIMA_GATEWAY_PORT: String(ports.gateway),
    AIMA_STACK_FILE: join(dist.dir, 'stack.yml'),
    AIMA_HANDLERS: './services/functions',
    AIMA_PUBLIC_HOST: host,
    AIMA_PUBLIC_POSTGRES_PORT: String(ports.postgres),
    AIMA_PUBLIC_MQTT_PORT: String(ports.tls),
    AIMA_PROVIDERS: 'vast',
    AIMA_WORKER_IMAGE: image,
    AIMA_VAST_URL: `http://${host}:${ports.provider}`,
  };
  const ours = (name: string, isStep = false): Command => ({
    name,
    command: process.execPath,
    args: [dist.service(name)],
    env,
    isStep,
  });
  const commands = new Map<string, Command>(
    [
      postgres,
      ours('database', true),
      // ExecStartPre: the logins are written before each start of Mosquitto.
      before(ours('broker'), mosquitto.command),
      minio,
      ours('bucket', true),
      ...(isOpen ? [] : [ours('gateway')]),
      ours('connector'),
    ].map((command) => [command.name, command]),
  );

  const kept = new Map<string, Kept>();
  const stopAll = () => Promise.all([...kept.values()].map((one) => one.stop()));
  return {
    dist,
    dir,
    env,
    secrets,
    secretsDir,
    gatewayPort: ports.gateway!,
    gatewayUrl,
    databaseUrl: `postgres://postgres:${secrets['postgres-password']}@127.0.0.1:${ports.postgres}/aima`,
    provider,
    part: (name) => kept.get(name)!,
    names: [...commands.keys()],
    async cutPower() {
      const all = [...kept.values()];
      kept.clear();
      await Promise.all(all.map((one) => one.stop('SIGKILL')));
    },
    boot(order) {
      for (const name of order) kept.set(name, keep(commands.get(name)!));
    },
    output: () => [...[...kept].map(([name, one]) => `--- ${name}\n${one.output()}`), ...said].join('\n'),
    async remove() {
      await stopAll();
      await provider.simulator.close();
      for (const one of forwards) one.close();
      await dist.remove();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A random order, so that no part can count on another being there. */
export function shuffled<T>(list: readonly T[]): T[] {
  const rest = [...list];
  return list.map(() => rest.splice(randomInt(rest.length), 1)[0]!);
}

/** One after the other in one unit. */
function before(step: Command, main: Command): Command {
  const script = 'step=$1; node=$2; shift 2; "$node" "$step" && exec "$@"';
  return {
    ...main,
    command: '/bin/sh',
    args: ['-c', script, 'unit', step.args[0]!, step.command, main.command, ...main.args],
    env: { ...step.env, ...main.env },
  };
}
