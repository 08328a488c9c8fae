/** What the watcher publishes of what it finds in a bucket, against our own S3 server. */
import type { Client } from 'minio';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { IntakeEvent } from '../../functions/core/submit/events.ts';
import { lookOnce, type Seen, type WatchOptions } from '../../infra/objects/bridge/watch.ts';
import { minioClient, startOwn } from './fixture.ts';

let server: Awaited<ReturnType<typeof startOwn>>;
let client: Client;
let bucket: string;
let seen: Seen;
let published: string[][];
let logged: string[];
let isBrokerAway: boolean;
let count = 0;

beforeAll(async () => {
  server = await startOwn();
  client = minioClient(server);
});
afterAll(() => server.close());
beforeEach(async () => {
  count += 1;
  bucket = `watched-${count}`;
  await client.makeBucket(bucket);
  seen = new Map();
  published = [];
  logged = [];
  isBrokerAway = false;
});

const nowMs = Date.now();
const options = (): WatchOptions => ({
  bucket: {
    name: bucket,
    async *list(prefix, startAfter = '') {
      for await (const item of client.listObjectsV2(bucket, prefix, true, startAfter)) {
        yield { key: item.name!, sizeBytes: item.size!, etag: item.etag! };
      }
    },
  },
  region: 'us-east-1',
  uploadExpiryHours: 24,
  publisher: {
    async publish(message) {
      if (isBrokerAway) throw new Error('the broker cannot be reached');
      const event = JSON.parse(message);
      expect(IntakeEvent.safeParse(event).success).toBe(true);
      published.push(
        event.Records.map((record: { s3: { object: { key: string } } }) =>
          decodeURIComponent(record.s3.object.key.replaceAll('+', ' ')),
        ),
      );
    },
    close: async () => {},
  },
  log: (line) => logged.push(line),
});
const look = (known: Seen = seen) => lookOnce(options(), known, nowMs);

describe('a look', () => {
  it('tells of what is new, once', async () => {
    const upload = `uploads/${newId()}/film.mp4`;
    await client.putObject(bucket, 'inbox/a b+ü.wav', 'x');
    await client.putObject(bucket, upload, 'x');
    await client.putObject(bucket, 'results/x/scene.webp', 'x');
    expect(await look()).toBe(2);
    expect(published).toEqual([[upload], ['inbox/a b+ü.wav']]);
    expect(await look()).toBe(0);
    await client.putObject(bucket, 'inbox/later', '');
    expect(await look()).toBe(1);
    expect(published.at(-1)).toEqual(['inbox/later']);
  });

  it('tells of other content under the same key, and of what comes again', async () => {
    await client.putObject(bucket, 'inbox/a', 'one');
    await look();
    await client.putObject(bucket, 'inbox/a', 'two');
    expect(await look()).toBe(1);
    await client.removeObject(bucket, 'inbox/a');
    expect(await look()).toBe(0);
    await client.putObject(bucket, 'inbox/a', 'two');
    expect(await look()).toBe(1);
  });

  it('tells again after a restart', async () => {
    await client.putObject(bucket, 'inbox/a', 'x');
    await look();
    expect(await look(new Map())).toBe(1);
  });

  it('leaves uploads of jobs alone that nobody uploads to any more', async () => {
    const old = `uploads/${newId(nowMs - 26 * 3_600_000)}/a.wav`;
    const recent = `uploads/${newId(nowMs - 23 * 3_600_000)}/a.wav`;
    for (const key of [old, recent]) await client.putObject(bucket, key, 'x');
    expect(await look()).toBe(1);
    expect(published).toEqual([[recent]]);
  });

  it('tells of many in few events, and of the rest when the broker is back', async () => {
    const keys = Array.from({ length: 120 }, (_, n) => `inbox/${String(n).padStart(3, '0')}`);
    await Promise.all(keys.map((key) => client.putObject(bucket, key, 'x')));
    isBrokerAway = true;
    await expect(look()).rejects.toThrow('the broker cannot be reached');
    isBrokerAway = false;
    expect(await look()).toBe(120);
    expect(published.map((event) => event.length)).toEqual([50, 50, 20]);
    expect(published.flat()).toEqual(keys);
  });

  it('lists two prefixes, once each', async () => {
    const prefixes: string[] = [];
    const { bucket: watched, ...rest } = options();
    const list: WatchOptions['bucket']['list'] = (prefix, startAfter) => {
      prefixes.push(prefix);
      return watched.list(prefix, startAfter);
    };
    await lookOnce({ ...rest, bucket: { name: bucket, list } }, seen, nowMs);
    expect(prefixes).toEqual(['uploads/', 'inbox/']);
  });
});

describe('a bucket with more than can be remembered', () => {
  it('is looked at as far as that goes, which is said once', async () => {
    const { bucket: watched, ...rest } = options();
    async function* list(prefix: string) {
      if (prefix !== 'inbox/') return;
      for (let n = 0; n < 100_002; n++) yield { key: `inbox/${n}`, sizeBytes: 1, etag: 'e' };
    }
    const large = { ...rest, bucket: { name: watched.name, list } };
    expect(await lookOnce(large, seen, nowMs)).toBe(100_000);
    expect(await lookOnce(large, seen, nowMs)).toBe(0);
    expect(logged).toEqual(['more than 100000 objects below inbox/: the rest is left to the sweep']);
  });
});
