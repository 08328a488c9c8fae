/**
 * Where the planner's decisions are carried out: the core of this process on a real Postgres and a
 * real broker, and RunPod simulated beside it. Its machines start nothing; nobody waits for them here.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { loadConfig } from '../../functions/core/config.ts';
import { type Core, core as openCore } from '../../functions/core/core.ts';
import { ensureCertificate } from '../../infra/certificate/certificate.ts';
import { baseLogins, removeDir, startEmbedded, temporaryDir } from '../broker/brokers.ts';
import { type FreshDatabase, freshDatabase, functionsPassword, insertJob } from '../database/fresh.ts';
import { startRunpodPods } from '../providers/simulator/runpod-pods.ts';
import { accountKey, type Simulator } from '../providers/simulator/server.ts';

export interface Stage {
  core: Core;
  /** The core as it would be with other settings. */
  coreWith(environment: Record<string, string>): Core;
  sql: FreshDatabase['admin'];
  simulator: Simulator;
  /** A job of an hour of sound that is queued. */
  queue(job?: Parameters<typeof insertJob>[1]): Promise<string>;
  /** What the provider was last heard to offer is so much older. */
  ageOffers(seconds: number): Promise<void>;
  /** Waits for a bell of this topic that is rung from now on. */
  hear(topic: string): Promise<() => Promise<void>>;
  /** Nothing is queued, rented or remembered. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

export const apiToken = 'token-of-the-tests';

export async function startStage(): Promise<Stage> {
  const dir = await mkdtemp(join(tmpdir(), 'aima-planner-'));
  const brokerDir = await temporaryDir();
  const [database, broker, simulator] = await Promise.all([
    freshDatabase(),
    startEmbedded(brokerDir),
    startRunpodPods(),
  ]);
  const secretsDir = join(dir, 'secrets');
  await mkdir(secretsDir);
  await ensureCertificate(secretsDir, '127.0.0.1');
  const secrets = {
    'api-token': apiToken,
    'connector-token': 'token-of-the-connector',
    'database-password': functionsPassword,
    'mqtt-functions-password': baseLogins[0]!.password,
    's3-access-key': 'access',
    's3-secret-key': 'secret-key',
    'webhook-secret': 'webhook-secret',
    'owner-id': 'testin',
    'lease-key': 'lease-key',
    'runpod-api-key': accountKey,
  };
  await Promise.all(Object.entries(secrets).map(([name, value]) => writeFile(join(secretsDir, name), value)));
  const environment = {
    AIMA_SECRETS_DIR: secretsDir,
    AIMA_DATA_DIR: dir,
    AIMA_DATABASE_URL: database.url('aima_functions', ''),
    AIMA_MQTT_URL: broker.url,
    AIMA_PROVIDERS: 'runpod-pods',
    AIMA_RUNPOD_URL: simulator.url,
    AIMA_WORKER_IMAGE: 'aima/gpu-worker:test',
    AIMA_PUBLIC_HOST: '127.0.0.1',
    AIMA_S3_PUBLIC_ENDPOINT: 'https://127.0.0.1:9443',
    AIMA_CONFIRM_ABOVE_DOLLARS: '2',
  };
  Object.assign(process.env, environment);
  const core = openCore();
  const { sql, bucket, publisher } = core;
  const parts = { sql, bucket, publisher, providers: core.providers };
  await publisher.isConnected(10_000);

  return {
    core,
    coreWith: (more) => ({ ...parts, config: loadConfig({ ...environment, ...more }) }),
    sql: database.admin,
    simulator,
    async queue(job) {
      const jobId = await insertJob(database.admin, { analyses: ['transcribe'], ...job });
      await database.admin`update media set duration_ms = 3600000, size_bytes = 50000000 where media_id = ${jobId}`;
      return jobId;
    },
    async ageOffers(seconds) {
      await database.admin`update providers set offers_at = offers_at - make_interval(secs => ${seconds})`;
    },
    async hear(topic) {
      const client = await mqtt.connectAsync(broker.url, { ...baseLogins[1]!, reconnectPeriod: 0 });
      const rung = new Promise<void>((resolve) => client.once('message', () => resolve()));
      await client.subscribeAsync(topic, { qos: 1 });
      return async () => {
        await rung;
        await client.endAsync();
      };
    },
    async clear() {
      const { admin } = database;
      await admin`delete from jobs`;
      await admin`delete from events`;
      await admin`update instances set state = 'terminating' where state not in ('terminating', 'terminated')`;
      await admin`update instances set state = 'terminated' where state = 'terminating'`;
      await admin`delete from charges`;
      await admin`delete from attempts`;
      await admin`delete from instances`;
      await admin`delete from providers`;
      await admin`delete from avoided`;
      simulator.market.faults.clear();
      for (const machine of simulator.market.alive()) simulator.market.end(machine.id);
      simulator.requests.length = 0;
    },
    async stop() {
      await publisher.close();
      await sql.end({ timeout: 1 });
      await Promise.all([database.close(), simulator.close(), broker.stop()]);
      await Promise.all([rm(dir, { recursive: true, force: true }), removeDir(brokerDir)]);
    },
  };
}
