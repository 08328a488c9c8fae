/** Stores that do not speak MQTT: their events, or their lack of any, become jobs by way of the bridge. */
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { IntakeEvent } from '../../functions/core/submit/events.ts';
import { freePort } from '../../infra/embedded/ports.ts';
import { type Prepared, prepareBucket } from '../../infra/objects/prepare.ts';
import { type Endpoint, minioClient } from '../s3/fixture.ts';
import * as media from '../submit/media-files.ts';
import { startMinio, startSeaweed, startVersity } from './objects-servers.ts';
import { BRIDGE_TOKEN, openStand, type Stand } from './objects-stand.ts';
import { allHere } from './parts.ts';

const BRIDGE = 'infra/objects/bridge/main.ts';
const KEY = 'inbox/Ferien 2026/Zürich + See (1)%.wav';

let stand: Stand<Endpoint>;
let prepared: Prepared;
afterEach(async () => {
  await stand?.close();
});

const put = async (key: string) => minioClient(stand.store).putObject('media', key, await media.wav());
const prepare = async (store: Endpoint): Promise<void> => {
  prepared = await prepareBucket({ ...store, endpoint: store.url, bucket: 'media' });
};

describe.skipIf(!allHere('The webhook of a real MinIO', 'minio', 'mosquitto'))('MinIO by its webhook', () => {
  it('becomes a job, also when bridge or broker were away', { timeout: 120_000 }, async () => {
    const port = await freePort();
    stand = await openStand(async ({ dir }) => {
      const minio = await startMinio({
        MINIO_NOTIFY_WEBHOOK_ENABLE_AIMA: 'on',
        MINIO_NOTIFY_WEBHOOK_ENDPOINT_AIMA: `http://127.0.0.1:${port}/`,
        MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_AIMA: BRIDGE_TOKEN,
        MINIO_NOTIFY_WEBHOOK_QUEUE_DIR_AIMA: join(dir, 'minio-events'),
      });
      await prepare(minio);
      return minio;
    });
    expect(prepared.targets).toEqual(['arn:minio:sqs:us-east-1:AIMA:webhook']);
    await put('inbox/without a bridge.wav');
    const env = { AIMA_BRIDGE: 'webhook', AIMA_BRIDGE_PORT: String(port) };
    const heard = await stand.hear('aima/media/uploaded');
    await stand.run(BRIDGE, env);
    expect(await stand.arrived('inbox/without a bridge.wav')).toMatchObject({ state: 'queued' });
    await put(KEY);
    expect(await stand.arrived(KEY)).toMatchObject({ state: 'queued' });
    // Exactly what MinIO publishes itself: the same record, under the same names.
    const said = heard.messages.map(({ body }) => JSON.parse(body)).find((one) => one.Key === `media/${KEY}`);
    expect(Object.keys(said)).toEqual(['EventName', 'Key', 'Records']);
    expect(IntakeEvent.safeParse(said).success).toBe(true);
    expect(said.Records[0]).toMatchObject({ eventSource: 'minio:s3', s3: { bucket: { name: 'media' } } });

    await stand.broker.stop();
    await put('inbox/without a broker.wav');
    await stand.broker.startAgain();
    expect(await stand.arrived('inbox/without a broker.wav')).toMatchObject({ state: 'queued' });
  });
});

describe.skipIf(!allHere('The watcher on a real SeaweedFS', 'weed', 'mosquitto'))(
  'SeaweedFS, watched',
  () => {
    it('becomes one job, whatever restarts', { timeout: 120_000 }, async () => {
      stand = await openStand(async () => {
        const store = await startSeaweed();
        await prepare(store);
        return store;
      });
      expect(prepared).toMatchObject({ targets: [], expires: true });
      expect(prepared.missing).toEqual([expect.stringContaining('has no bucket events: run the bridge')]);
      const env = { AIMA_BRIDGE: 'watch', AIMA_BRIDGE_SECONDS: '1' };
      await put(KEY);
      const first = await stand.run(BRIDGE, env);
      const { jobId } = await stand.arrived(KEY);
      await first.stop();
      const heard = await stand.hear('aima/media/uploaded');
      await stand.run(BRIDGE, env);
      await heard.count(1);
      await put('inbox/later.wav');
      expect(await stand.arrived('inbox/later.wav')).toMatchObject({ state: 'queued' });
      expect(heard.messages.length).toBeGreaterThan(1);
      expect(await stand.jobsOf(KEY)).toMatchObject([{ jobId, state: 'queued' }]);
    });
  },
);

const hasVersity = allHere('The webhook of a real VersityGW', 'versitygw', 'mosquitto');
describe.skipIf(!hasVersity)('VersityGW by its webhook', () => {
  it('becomes a job', { timeout: 120_000 }, async () => {
    stand = await openStand(async ({ run }) => {
      const bridge = await run(BRIDGE, { AIMA_BRIDGE: 'webhook', AIMA_BRIDGE_PORT: '0' });
      const store = await startVersity({
        VGW_EVENT_WEBHOOK_URL: `http://store:${BRIDGE_TOKEN}@127.0.0.1:${bridge.port}/`,
      });
      await prepare(store);
      return store;
    });
    expect(prepared).toMatchObject({ targets: [], expires: false });
    expect(prepared.missing).toHaveLength(2);
    await put(KEY);
    expect(await stand.arrived(KEY)).toMatchObject({ state: 'queued' });
  });
});

describe.skipIf(!allHere('A real MinIO without a target', 'minio'))('MinIO without a target', () => {
  it('is told of with what is to be set', async () => {
    const minio = await startMinio();
    try {
      await expect(prepare(minio)).rejects.toThrow(/knows no target .* MINIO_NOTIFY_MQTT_ENABLE_AIMA=on/);
    } finally {
      await minio.close();
    }
  });
});
