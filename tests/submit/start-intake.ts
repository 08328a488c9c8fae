/**
 * The parts that submit-job stands on, real ones in this process: Postgres, broker, object store,
 * and a connector of a few lines that hands every event to the function, unless it is told to lose
 * them.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { type Core, core as openCore } from '../../functions/core/core.ts';
import type { FunctionContext, HeaderValues } from '../../functions/core/http/contract.ts';
import submitJob from '../../functions/submit-job/handler.ts';
import { startBroker } from '../../infra/embedded/broker/broker.ts';
import { freePort } from '../../infra/embedded/ports.ts';
import { startPostgres } from '../../infra/embedded/postgres/start.ts';
import { startS3Server } from '../../infra/embedded/s3/server.ts';
import { prepareBucket } from '../../infra/objects/prepare.ts';
import { migrate } from '../../infra/postgres/migrate.ts';
import { ensureSecrets } from '../../infra/secrets/secrets.ts';
import { withoutDisk } from '../database/without-disk.ts';

/** A job as a client sees it; what a test does not expect to be there it must not touch. */
export interface JobAnswer {
  jobId: string;
  state: string;
  name: string;
  upload: UploadAnswer;
  links: { self: string; upload: string };
}

export interface UploadAnswer {
  method: string;
  url: string;
  headers?: Record<string, string>;
  expiresAt: string;
  multipart: { partSizeBytes: number; parts: { partNumber: number; url: string }[]; complete: string };
}

export interface Answer {
  status: number;
  headers: HeaderValues;
  body: UploadAnswer & { batchId: string; jobs: [JobAnswer, ...JobAnswer[]]; code: string; detail: string };
}

export interface Intake {
  core: Core;
  /** Events from now on are lost, or delivered again. */
  losesEvents: boolean;
  /** Bodies of the events delivered so far, by topic. */
  delivered: { topic: string; body: Buffer }[];
  /** Calls the function as the gateway would. */
  call(
    path: string,
    body: unknown,
    options?: { headers?: Record<string, string>; as?: 'user' | 'connector' | 'nobody' },
  ): Promise<Answer>;
  stop(): Promise<void>;
}

export async function startIntake(env: Record<string, string> = {}): Promise<Intake> {
  const dir = await mkdtemp(join(tmpdir(), 'aima-intake-'));
  await chmod(dir, 0o711);
  const secretsDir = join(dir, 'secrets');
  const secrets = await ensureSecrets(secretsDir);
  await writeFile(
    join(secretsDir, 'webhook-secret'),
    `whsec_${Buffer.from('a secret of the tests').toString('base64')}`,
  );
  const database = await startPostgres({
    dataDir: join(dir, 'postgres'),
    port: await freePort(),
    superuserPassword: secrets['postgres-password'],
    log: () => {},
  });
  await withoutDisk(database.url);
  await migrate({ superuserUrl: database.url, functionsPassword: secrets['database-password'] });
  const broker = await startBroker({
    ...{ host: '127.0.0.1', port: 0, wsPort: 0, statePath: join(dir, 'broker', 'state.json'), log: () => {} },
    baseLogins: (['functions', 'connector', 'objects'] as const).map((username) => ({
      username,
      password: secrets[`mqtt-${username}-password`],
    })),
  });
  const mqttUrl = `mqtt://127.0.0.1:${broker.port}`;
  const objects = await startS3Server({
    ...{ host: '127.0.0.1', port: 0, folder: join(dir, 'objects'), region: 'us-east-1', log: () => {} },
    credentials: [{ accessKey: secrets['s3-access-key'], secretKey: secrets['s3-secret-key'] }],
    events: {
      url: mqttUrl,
      username: 'objects',
      password: secrets['mqtt-objects-password'],
      topic: 'aima/media/uploaded',
    },
  });
  const endpoint = `http://127.0.0.1:${objects.port}`;
  await prepareBucket({
    ...{ endpoint, region: 'us-east-1', bucket: 'media' },
    ...{ accessKey: secrets['s3-access-key'], secretKey: secrets['s3-secret-key'] },
  });
  Object.assign(process.env, {
    AIMA_SECRETS_DIR: secretsDir,
    AIMA_DATA_DIR: dir,
    AIMA_DATABASE_URL: `postgres://aima_functions@127.0.0.1:${database.port}/aima`,
    AIMA_MQTT_URL: mqttUrl,
    AIMA_S3_ENDPOINT: endpoint,
    ...env,
  });
  const core = openCore();
  await new Promise<void>((resolve) => {
    if (core.publisher.client.connected) resolve();
    else core.publisher.client.once('connect', () => resolve());
  });

  const tokens = { user: secrets['api-token'], connector: secrets['connector-token'], nobody: 'not a token' };
  const call: Intake['call'] = async (path, body, { headers = {}, as = 'user' } = {}) => {
    const context = recordingContext();
    await submitJob(
      {
        body: Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)),
        headers: { authorization: `Bearer ${tokens[as]}`, ...headers },
        method: 'POST',
        query: {},
        path,
      },
      context,
    );
    return context.answer();
  };

  const intake: Intake = { core, losesEvents: false, delivered: [], call, stop };
  const connector = await mqtt.connectAsync(mqttUrl, {
    ...{ protocolVersion: 4, username: 'connector', password: secrets['mqtt-connector-password'] },
  });
  connector.on('message', (topic, body) => {
    if (intake.losesEvents) return;
    intake.delivered.push({ topic, body });
    void call('/', body, { as: 'connector', headers: { 'x-topic': topic } });
  });
  await connector.subscribeAsync('aima/media/+', { qos: 1 });

  async function stop(): Promise<void> {
    await connector.endAsync(true);
    await core.publisher.close();
    await core.sql.end({ timeout: 1 });
    await objects.close();
    await broker.close();
    await database.stop();
    await rm(dir, { recursive: true, force: true });
  }
  return intake;
}

function recordingContext() {
  let statusCode = 200;
  let headerValues: HeaderValues = {};
  let sent: unknown;
  const context = {
    status: (code?: number) => {
      if (code === undefined) return statusCode;
      statusCode = code;
      return context;
    },
    headers: (values?: HeaderValues) => {
      if (values === undefined) return headerValues;
      headerValues = values;
      return context;
    },
    succeed: (value?: unknown) => {
      sent = value;
    },
    fail: (error: unknown) => {
      throw error;
    },
    answer(): Answer {
      const text = Buffer.isBuffer(sent) ? sent.toString() : '';
      return { status: statusCode, headers: headerValues, body: text === '' ? undefined : JSON.parse(text) };
    },
  };
  return context as unknown as FunctionContext & { answer(): Answer };
}

/** Waits until a job is in one of the states, and gives its row. */
export async function jobIn(core: Core, jobId: string, ...states: string[]) {
  for (const giveUpAt = Date.now() + 20_000; ; ) {
    const [job] = await core.sql<
      {
        state: string;
        errorCode: string | null;
        errorDetail: string | null;
        kind: string | null;
        durationMs: number | null;
        width: number | null;
        height: number | null;
        contentType: string | null;
        sizeBytes: number | null;
        objectKey: string;
        analyses: string[];
      }[]
    >`select j.state, j.error_code, j.error_detail, j.analyses, m.kind, m.duration_ms, m.width, m.height,
        m.content_type, m.size_bytes, m.object_key
      from jobs j join media m using (media_id) where job_id = ${jobId}`;
    if (job && states.includes(job.state)) return job;
    if (Date.now() > giveUpAt)
      throw new Error(`the job is ${job?.state}, not ${states.join(' or ')}: ${job?.errorDetail}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Uploads as a client would, with nothing but what the answer said. */
export async function put(
  upload: { method: string; url: string; headers?: Record<string, string> },
  body: Buffer,
): Promise<Response> {
  const answer = await fetch(upload.url, {
    method: upload.method,
    headers: upload.headers ?? {},
    body: new Uint8Array(body),
  });
  if (!answer.ok) throw new Error(`the upload answered ${answer.status}: ${await answer.text()}`);
  return answer;
}
