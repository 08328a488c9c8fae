/**
 * An object put into a real MinIO becomes a job: MinIO's own MQTT target, Mosquitto with its logins,
 * our connector, our gateway with submit-job, Postgres.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IntakeEvent } from '../../functions/core/submit/events.ts';
import { type Prepared, prepareBucket } from '../../infra/objects/prepare.ts';
import { minioClient } from '../s3/fixture.ts';
import * as media from '../submit/media-files.ts';
import { type RunningServer, startMinio } from './objects-servers.ts';
import { openStand, type Stand, type Surroundings } from './objects-stand.ts';
import { allHere, findPart, pathOf } from './parts.ts';

const run = promisify(execFile);
const isHere = allHere('Events of a real MinIO', 'minio', 'mosquitto');

/** The targets AIMA and NOW of infra/objects/prepare.ts, as MinIO is told of them. */
function mqttTargets({ dir, mqttUrl }: Surroundings): Record<string, string> {
  const target = (id: string, more: Record<string, string> = {}) => {
    const settings = {
      ENABLE: 'on',
      BROKER: mqttUrl.replace('mqtt://', 'tcp://'),
      TOPIC: 'aima/media/uploaded',
      QOS: '1',
      USERNAME: 'objects',
      PASSWORD: 'objects-secret',
      // 10 minutes where it is not set.
      RECONNECT_INTERVAL: '1s',
      ...more,
    };
    return Object.entries(settings).map(([name, value]) => [`MINIO_NOTIFY_MQTT_${name}_${id}`, value]);
  };
  return Object.fromEntries([...target('AIMA', { QUEUE_DIR: join(dir, 'minio-events') }), ...target('NOW')]);
}

describe.skipIf(!isHere)('an object put into MinIO', () => {
  let stand: Stand<RunningServer>;
  let prepared: Prepared;
  let sound: Buffer;
  beforeAll(async () => {
    stand = await openStand(async (around) => {
      const minio = await startMinio(mqttTargets(around));
      prepared = await prepareBucket({ ...minio, endpoint: minio.url, bucket: 'media' });
      return minio;
    });
    sound = await media.wav();
  });
  afterAll(() => stand?.close());
  const put = (key: string, body = sound) => minioClient(stand.store).putObject('media', key, body);

  it('is told of to the targets that MinIO was given', () => {
    expect(prepared).toEqual({
      targets: ['arn:minio:sqs:us-east-1:AIMA:mqtt', 'arn:minio:sqs:us-east-1:NOW:mqtt'],
      expires: true,
      missing: [],
    });
  });

  it('becomes a job, whatever its name', async () => {
    const heard = await stand.hear('aima/media/uploaded');
    const key = 'inbox/Ferien 2026/Zürich + See (1)%.wav';
    await put(key);
    expect(await stand.arrived(key)).toMatchObject({ state: 'queued' });
    await heard.count(1);
    expect(IntakeEvent.parse(JSON.parse(heard.messages[0]!.body))).toMatchObject({
      EventName: 's3:ObjectCreated:Put',
      Records: [{ s3: { bucket: { name: 'media' }, object: { size: sound.length } } }],
    });
  });

  it('of no size becomes a job that says so', async () => {
    await put('inbox/empty.wav', Buffer.alloc(0));
    expect(await stand.arrived('inbox/empty.wav')).toMatchObject({ state: 'failed' });
  });

  it('in parts, or as a copy, becomes a job too', async () => {
    const client = minioClient(stand.store);
    const uploadId = await client.initiateNewMultipartUpload('media', 'inbox/parts.wav', {});
    const address = await client.presignedUrl('PUT', 'media', 'inbox/parts.wav', 60, {
      uploadId,
      partNumber: '1',
    });
    const answer = await fetch(address, { method: 'PUT', body: new Uint8Array(sound) });
    const etag = answer.headers.get('etag')!.replaceAll('"', '');
    await client.completeMultipartUpload('media', 'inbox/parts.wav', uploadId, [{ part: 1, etag }]);
    expect(await stand.arrived('inbox/parts.wav')).toMatchObject({ state: 'queued' });
    await client.copyObject('media', 'inbox/copy.wav', '/media/inbox/parts.wav');
    expect(await stand.arrived('inbox/copy.wav')).toMatchObject({ state: 'queued' });
  });

  it.skipIf(!allHere('A put with mc', 'mc'))('by mc', async () => {
    await writeFile(join(stand.env.AIMA_DATA_DIR!, 'a.wav'), sound);
    const keys = `${stand.store.accessKey}:${stand.store.secretKey}`;
    const env = {
      ...{ HOME: stand.env.AIMA_DATA_DIR, PATH: process.env.PATH },
      MC_HOST_store: `http://${keys}@${stand.store.host}:${stand.store.port}`,
    };
    await run(pathOf('mc'), ['cp', 'a.wav', 'store/media/inbox/by mc.wav'], {
      cwd: stand.env.AIMA_DATA_DIR,
      env,
    });
    expect(await stand.arrived('inbox/by mc.wav')).toMatchObject({ state: 'queued' });
  });

  it.skipIf(!allHere('A put with aws', 'aws'))('by aws', async () => {
    await writeFile(join(stand.env.AIMA_DATA_DIR!, 'b.wav'), sound);
    const { PATH, PYENV_ROOT } = process.env;
    const env = {
      ...{ PATH, PYENV_ROOT, HOME: stand.env.AIMA_DATA_DIR },
      AWS_ACCESS_KEY_ID: stand.store.accessKey,
      AWS_SECRET_ACCESS_KEY: stand.store.secretKey,
      AWS_DEFAULT_REGION: stand.store.region,
    };
    const args = ['--endpoint-url', stand.store.url, 's3', 'cp', 'b.wav', 's3://media/inbox/by aws.wav'];
    await run(findPart('aws')!.path, args, { cwd: stand.env.AIMA_DATA_DIR, env });
    expect(await stand.arrived('inbox/by aws.wav')).toMatchObject({ state: 'queued' });
  });

  it('while the broker is away becomes a job when it is back', async () => {
    await stand.broker.stop();
    for (let n = 0; n < 5; n++) await put(`inbox/away ${n}.wav`);
    expect(await stand.jobsOf('inbox/away 0.wav')).toEqual([]);
    await stand.broker.startAgain();
    for (let n = 0; n < 5; n++) {
      expect(await stand.arrived(`inbox/away ${n}.wav`)).toMatchObject({ state: 'queued' });
    }
  });

  it('fifty times over becomes one job each, though it is told of twice', async () => {
    const queued = await stand.hear('aima/jobs/queued');
    const told = await stand.hear('aima/media/uploaded');
    const keys = Array.from({ length: 50 }, (_, n) => `inbox/many/${n}.wav`);
    const milliseconds: number[] = [];
    for (const [n, key] of keys.entries()) {
      const begun = performance.now();
      await put(key);
      await queued.count(n + 1);
      milliseconds.push(performance.now() - begun);
    }
    const inOrder = milliseconds.toSorted((a, b) => a - b);
    console.log(
      `PUT to queued on MinIO: p50 ${inOrder[24]!.toFixed(0)} ms, p99 ${inOrder[49]!.toFixed(0)} ms`,
    );
    await told.count(2 * keys.length);
    await put('inbox/last.wav');
    await stand.arrived('inbox/last.wav');
    for (const key of keys) expect(await stand.jobsOf(key)).toMatchObject([{ state: 'queued' }]);
  });
});
