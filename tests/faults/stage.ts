/**
 * Where faults are tried: the real core on a real Postgres and a real broker, one simulated provider
 * with machines whose workers speak the real protocol, and a clock that can be moved.
 *
 * Postgres' own clock cannot be moved, so time passes the other way round: the market's clock goes on
 * and every timestamp in the database becomes that much older. For the code under test, which only
 * ever asks Postgres how long ago something was, the two are the same.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'minio';
import mqtt from 'mqtt';
import { type Config, loadConfig } from '../../functions/core/config.ts';
import type { Core } from '../../functions/core/core.ts';
import { connect, type Sql } from '../../functions/core/database.ts';
import { openPublisher } from '../../functions/core/events/publisher.ts';
import { newId } from '../../functions/core/ids.ts';
import { endInstances } from '../../functions/core/instances/end.ts';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { decide } from '../../functions/core/planner/decide.ts';
import type { Provider } from '../../functions/core/providers/provider.ts';
import { openBucket } from '../../functions/core/storage/bucket.ts';
import { sweepJobs, sweepLeases } from '../../functions/core/sweep.ts';
import { ensureCertificate } from '../../infra/certificate/certificate.ts';
import { type Broker, startBroker } from '../../infra/embedded/broker/broker.ts';
import { freePort } from '../../infra/embedded/ports.ts';
import { type RunningPostgres, startPostgres } from '../../infra/embedded/postgres/start.ts';
import { startS3Server } from '../../infra/embedded/s3/server.ts';
import { migrate } from '../../infra/postgres/migrate.ts';
import { ensureSecrets, type Secrets } from '../../infra/secrets/secrets.ts';
import { withoutDisk } from '../database/without-disk.ts';
import type { SimulatedProvider } from '../providers/simulated.ts';
import { type ManualClock, manualClock } from '../providers/simulator/clock.ts';
import type { Simulator } from '../providers/simulator/server.ts';
import { age, timeColumns } from './aging.ts';
import {
  type Pace,
  partMs,
  partsOfAJob,
  type SubmittedMedium,
  scriptedWorker,
  type WorkerStage,
} from './scripted-worker.ts';

export type { SubmittedMedium };

export interface Stage {
  core: Core;
  /** Another process's core, as it were: its own connections, the same configuration. */
  secondCore: Core;
  config: Config;
  /** Of the configuration, for processes that are started to be killed. */
  env: Record<string, string>;
  sql: Sql;
  simulator: Simulator;
  provider: Provider;
  clock: ManualClock;
  /** Moves time on, lets workers work, and does what bells and the half-minute's sweep would cause. */
  pass(ms: number): Promise<void>;
  /** Both sweeps at once, as two installations of the functions would do them. */
  sweep(): Promise<void>;
  submit(medium?: SubmittedMedium): Promise<string>;
  /** When a job was last committed on a machine, by the machine's id. */
  lastFinish: Map<string, number>;
  /** While true no bell is heard: only sweeps find what is to do. */
  isDeaf: boolean;
  /** While true not even sweeps come: nobody does anything but workers and providers. */
  isFrozen: boolean;
  isStoreThere: boolean;
  restartPostgres(): Promise<void>;
  stopBroker(): Promise<void>;
  startBroker(): Promise<void>;
  close(): Promise<void>;
}

/** As the functions are called: every half minute. */
const sweepMs = 30_000;

const aRecording: SubmittedMedium = {
  kind: 'audio',
  durationMs: partsOfAJob * partMs,
  sizeBytes: 1_000_000,
  analyses: ['transcribe'],
};

const ownerUser = '0'.repeat(26);

export interface StageOptions extends Pace {
  /** How long the provider takes to accept and to pull. */
  acceptMs?: number;
  pullMs?: number;
  /** More of the configuration. */
  environment?: Record<string, string>;
}

export async function openStage(simulated: SimulatedProvider, options: StageOptions = {}): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'aima-faults-'));
  await chmod(dir, 0o711);
  const secretsDir = join(dir, 'secrets');
  const secrets = await ensureSecrets(secretsDir);
  // These workers run in this process and need none; a machine is not rented without.
  await ensureCertificate(secretsDir, '127.0.0.1');
  const pgPort = await freePort();
  const startDatabase = () =>
    startPostgres({
      dataDir: join(dir, 'postgres'),
      port: pgPort,
      superuserPassword: secrets['postgres-password'],
      log: () => {},
    });
  let postgres: RunningPostgres = await startDatabase();
  await migrate({ superuserUrl: postgres.url, functionsPassword: secrets['database-password'] });
  await withoutDisk(postgres.url);
  const databaseUrl = (user: string, password: string) =>
    `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${pgPort}/aima`;
  let broker: Broker | null = await openBroker(dir, secrets, 0);
  const objects = await startS3Server({
    ...{ host: '127.0.0.1', port: 0, folder: join(dir, 'objects'), region: 'us-east-1', log: () => {} },
    credentials: [{ accessKey: secrets['s3-access-key'], secretKey: secrets['s3-secret-key'] }],
  });
  const s3 = new Client({
    ...{ endPoint: '127.0.0.1', port: objects.port, useSSL: false, region: 'us-east-1' },
    ...{ accessKey: secrets['s3-access-key'], secretKey: secrets['s3-secret-key'] },
  });
  await s3.makeBucket('media');
  const brokerPort = broker.port;

  const clock = manualClock();
  const working = new Set<Promise<unknown>>();
  const track = (work: Promise<unknown>) => {
    const settled = work.catch(() => {}).finally(() => working.delete(settled));
    working.add(settled);
  };
  const media = new Map<string, SubmittedMedium>();
  let rung = false;
  const workers: WorkerStage = {
    databaseUrl,
    track,
    ring: () => {
      rung = true;
    },
    mediumOf: (jobId) => media.get(jobId)!,
    onFinish: (machineId) => void stage.lastFinish.set(machineId, clock.nowMs()),
    isStoreThere: () => stage.isStoreThere,
  };
  const running = await simulated.start({
    clock,
    startContainer: scriptedWorker(workers, options),
    acceptMs: options.acceptMs ?? 2_000,
    pullMs: options.pullMs ?? 20_000,
  });
  const { simulator } = running;
  await Promise.all(
    Object.entries(running.secrets).map(([name, value]) => writeFile(join(secretsDir, name), value)),
  );
  const env = {
    AIMA_SECRETS_DIR: secretsDir,
    AIMA_DATA_DIR: dir,
    AIMA_DATABASE_URL: `postgres://aima_functions@127.0.0.1:${pgPort}/aima`,
    AIMA_MQTT_URL: `mqtt://127.0.0.1:${brokerPort}`,
    AIMA_PUBLIC_HOST: '127.0.0.1',
    AIMA_S3_ENDPOINT: `http://127.0.0.1:${objects.port}`,
    AIMA_S3_PUBLIC_ENDPOINT: 'https://127.0.0.1:9443',
    AIMA_WORKER_IMAGE: 'aima/gpu-worker:test',
    AIMA_PROVIDERS: simulated.name,
    // Two orchestrators and their sweeps share one machine with the tests.
    AIMA_DATABASE_CONNECTIONS: '3',
    ...running.environment,
    ...options.environment,
  };
  const config = loadConfig(env);
  const provider = onThisClock(running.open(config), clock);
  const openCoreHere = (): Core => ({
    config,
    sql: connect(databaseUrl('aima_functions', secrets['database-password']), { max: 3 }),
    bucket: openBucket(config),
    publisher: openPublisher(config),
    providers: new Map([[provider.name, provider]]),
  });
  const core = openCoreHere();
  const secondCore = openCoreHere();
  const ear = mqtt.connect(env.AIMA_MQTT_URL, {
    ...{ protocolVersion: 4, username: 'connector', password: secrets['mqtt-connector-password'] },
    reconnectPeriod: 200,
  });
  ear.on('error', () => {});
  ear.on('connect', () => ear.subscribe(['aima/jobs/+', 'aima/instances/+'], { qos: 1 }));
  ear.on('message', () => {
    rung = true;
  });
  const sql = connect(postgres.url.replace(/\/[^/]*$/, '/aima'), { max: 2 });
  const columns = await timeColumns(sql);
  let sinceSweepMs = 0;

  async function hear(): Promise<void> {
    if (!rung || stage.isDeaf || stage.isFrozen) return;
    rung = false;
    await Promise.all([decide(core), decide(secondCore)]);
    await settleJobs(core);
    await endInstances(core);
  }

  const stage: Stage = {
    core,
    secondCore,
    config,
    env,
    sql,
    simulator,
    provider,
    clock,
    lastFinish: new Map(),
    isDeaf: false,
    isFrozen: false,
    isStoreThere: true,
    async pass(ms) {
      await age(sql, columns, ms);
      clock.advance(ms);
      while (working.size > 0) await Promise.all(working);
      await hear();
      sinceSweepMs += ms;
      if (sinceSweepMs >= sweepMs && !stage.isFrozen) {
        sinceSweepMs = 0;
        await stage.sweep();
      }
    },
    async sweep() {
      await Promise.all([sweepJobs(core), sweepLeases(secondCore)]);
      while (working.size > 0) await Promise.all(working);
    },
    async submit(medium = aRecording) {
      const jobId = newId();
      media.set(jobId, medium);
      const { kind, durationMs, sizeBytes, analyses } = medium;
      await sql.begin(async (tx) => {
        await tx`insert into batches (batch_id, user_id) values (${jobId}, ${ownerUser})`;
        await tx`insert into media (media_id, user_id, object_key, name, kind, duration_ms, size_bytes, uploaded_at)
          values (${jobId}, ${ownerUser}, ${`uploads/${jobId}/a.wav`}, 'a.wav', ${kind}, ${durationMs}, ${sizeBytes}, now())`;
        await tx`insert into jobs (job_id, user_id, batch_id, media_id, state, analyses, max_attempts)
          values (${jobId}, ${ownerUser}, ${jobId}, ${jobId}, 'queued', ${analyses}, 6)`;
      });
      core.publisher.jobsQueued([jobId]);
      rung = true;
      return jobId;
    },
    async restartPostgres() {
      await postgres.stop();
      postgres = await startDatabase();
      // The first connection after a restart finds the old ones broken.
      for (let tries = 0; tries < 50; tries++) {
        const isBack = await Promise.all([core.sql`select 1`, secondCore.sql`select 1`, sql`select 1`]).then(
          () => true,
          () => false,
        );
        if (isBack) return;
      }
      throw new Error('the database does not come back');
    },
    async stopBroker() {
      await broker?.close();
      broker = null;
    },
    async startBroker() {
      broker ??= await openBroker(dir, secrets, brokerPort);
    },
    async close() {
      await simulator.close();
      while (working.size > 0) await Promise.all(working);
      ear.end(true);
      for (const one of [core, secondCore]) {
        await one.publisher.close();
        await one.sql.end({ timeout: 1 });
      }
      await sql.end({ timeout: 1 });
      await broker?.close();
      await objects.close();
      await postgres.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
  return stage;
}

/** A lease's deadline is a time of day; the market's clock has its own. */
function onThisClock(provider: Provider, clock: ManualClock): Provider {
  return {
    ...provider,
    create: (request) =>
      provider.create({
        ...request,
        deadlineAt: new Date(
          provider.name === 'shadeform'
            ? request.deadlineAt.getTime() + clock.nowMs() - Date.now()
            : request.deadlineAt.getTime(),
        ),
      }),
  };
}

function openBroker(dir: string, secrets: Secrets, port: number): Promise<Broker> {
  return startBroker({
    ...{ host: '127.0.0.1', port, wsPort: 0, statePath: join(dir, 'broker', 'state.json'), log: () => {} },
    baseLogins: (['functions', 'connector', 'objects'] as const).map((username) => ({
      username,
      password: secrets[`mqtt-${username}-password`],
    })),
  });
}
