/**
 * What the function `jobs` stands on, real parts in this process: Postgres, object store, broker.
 * Every answer of the function is checked against the OpenAPI document before a test sees it.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Core, core as openCore } from '../../functions/core/core.ts';
import { scramVerifier } from '../../functions/core/instances/credentials.ts';
import jobs from '../../functions/jobs/handler.ts';
import { openServer, type Server } from '../../gpu-worker/lease/server.ts';
import { baseLogins, removeDir, startEmbedded, temporaryDir } from '../broker/brokers.ts';
import {
  assignJob,
  type FreshDatabase,
  freshDatabase,
  functionsPassword,
  insertInstance,
  insertJob,
} from '../database/fresh.ts';
import { type Called, call } from '../http/call.ts';
import { minioClient, startOwn } from '../s3/fixture.ts';
import { openApiChecker } from './openapi-checker.ts';

// biome-ignore lint/suspicious/noExplicitAny: JSON as a client sees it
export type Json = any;

export interface Answer extends Omit<Called, 'json'> {
  body: Json;
}

export interface CallOptions {
  query?: Record<string, string>;
  body?: unknown;
  /** null: none. */
  token?: string | null;
}

export interface System {
  core: Core;
  database: FreshDatabase;
  brokerUrl: string;
  api(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** A job whose medium is in the bucket. */
  uploadedJob(options?: Parameters<typeof insertJob>[1] & { key?: string; name?: string }): Promise<string>;
  /** A job that belongs to somebody else. */
  strangersJob(): Promise<string>;
  /** A machine with its worker. */
  worker(): Promise<{ instanceId: string; server: Server }>;
  /** While the object store is down. */
  withoutObjects(act: () => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const apiToken = 'token-of-the-tests';

export async function startSystem(): Promise<System> {
  const dir = await mkdtemp(join(tmpdir(), 'aima-jobs-'));
  const brokerDir = await temporaryDir();
  const folder = join(dir, 'objects');
  const [database, objects, broker] = await Promise.all([
    freshDatabase(),
    startOwn({ folder }),
    startEmbedded(brokerDir),
  ]);
  await minioClient(objects).makeBucket('media');
  await writeSecrets(join(dir, 'secrets'), {
    'api-token': apiToken,
    'connector-token': 'token-of-the-connector',
    'database-password': functionsPassword,
    'mqtt-functions-password': baseLogins[0]!.password,
    's3-access-key': objects.accessKey,
    's3-secret-key': objects.secretKey,
    'webhook-secret': 'webhook-secret-of-the-tests',
    'owner-id': 'testin',
    'lease-key': 'lease-key-of-the-tests',
  });
  const databaseUrl = new URL(database.url('aima_functions', ''));
  Object.assign(process.env, {
    AIMA_SECRETS_DIR: join(dir, 'secrets'),
    AIMA_DATA_DIR: dir,
    AIMA_DATABASE_URL: databaseUrl.href,
    AIMA_S3_ENDPOINT: objects.url,
    AIMA_MQTT_URL: broker.url,
  });
  const core = openCore();
  await new Promise<void>((resolve) => {
    if (core.publisher.client.connected) resolve();
    else core.publisher.client.once('connect', () => resolve());
  });
  const life = new AbortController();
  let current = objects;
  let checkAnswer: Awaited<ReturnType<typeof openApiChecker>> | undefined;

  return {
    core,
    database,
    brokerUrl: broker.url,
    async withoutObjects(act) {
      await current.close();
      try {
        await act();
      } finally {
        current = await startOwn({ folder, port: objects.port });
      }
    },
    async api(method, path, { query = {}, body, token = apiToken } = {}) {
      checkAnswer ??= await openApiChecker();
      const headers = {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const raw = body === undefined ? undefined : JSON.stringify(body);
      const { json, ...called } = await call(jobs, method, path, { query, body: raw, headers });
      const isJson = /json/.test(String(called.headers['content-type']));
      const answer = { ...called, body: isJson ? json() : called.text };
      checkAnswer(method, `/function/jobs${path.replace(/\/$/, '')}`, answer);
      return answer;
    },
    async uploadedJob({ key, name, ...options } = {}) {
      const jobId = await insertJob(core.sql, options);
      const objectKey = key ?? `uploads/${jobId}/a.wav`;
      await core.bucket.write(objectKey, Buffer.from('sound'), 'audio/wav');
      const { etag, sizeBytes } = (await core.bucket.stat(objectKey))!;
      await core.sql`
        update media set object_key = ${objectKey}, name = coalesce(${name ?? null}, name), etag = ${etag},
          size_bytes = ${sizeBytes}, content_type = 'audio/wav', uploaded_at = now()
        where media_id = ${jobId}`;
      return jobId;
    },
    async strangersJob() {
      const jobId = await insertJob(core.sql);
      const userId = jobId.replace(/^./, '7');
      await database.admin`insert into users (user_id, name) values (${userId}, ${userId})`;
      await database.admin`update jobs set user_id = ${userId} where job_id = ${jobId}`;
      return jobId;
    },
    async worker() {
      const instanceId = await insertInstance(core.sql);
      await core.sql`select open_worker_login(${instanceId}, ${scramVerifier('secret')}, now() + interval '1 hour')`;
      const server = openServer(database.url(`aima_worker_${instanceId}`, 'secret'), life.signal);
      await server.hello({ version: 'test' });
      return { instanceId, server };
    },
    async stop() {
      life.abort();
      await core.publisher.close();
      await core.sql.end({ timeout: 1 });
      await Promise.all([database.close(), current.close(), broker.stop()]);
      await Promise.all([rm(dir, { recursive: true, force: true }), removeDir(brokerDir)]);
    },
  };
}

/** Gives a job to a worker and lets it begin. */
export async function startJob(system: System, jobId: string) {
  const { instanceId, server } = await system.worker();
  await assignJob(system.core.sql, jobId, instanceId);
  return { instanceId, server, job: (await server.claim())! };
}

async function writeSecrets(dir: string, secrets: Record<string, string>): Promise<void> {
  await mkdir(dir, { recursive: true });
  await Promise.all(Object.entries(secrets).map(([name, value]) => writeFile(join(dir, name), value)));
}
