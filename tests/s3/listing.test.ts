import { ListObjectsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Page, pageOf } from '../../infra/embedded/s3/protocol/listing.ts';
import { compareKeys, SortedMap } from '../../infra/embedded/s3/storage/sorted-map.ts';
import { awsClient, type Endpoint, minioClient, newBucket, openEndpoint } from './fixture.ts';

let server: Endpoint;
let aws: S3Client;
let bucket: string;
const keys = ['a.txt', 'b/1', 'b/2', 'b/c/3', 'b/c/4', 'b0', 'c/5', 'd & <e>.txt', 'z é.txt'];

beforeAll(async () => {
  server = await openEndpoint();
  aws = awsClient(server);
  const minio = minioClient(server);
  bucket = await newBucket(minio);
  await Promise.all(keys.map((key) => minio.putObject(bucket, key, 'x')));
});
afterAll(() => server.close());

/** All lines of a listing, read in pages. */
async function listV2(query: object, MaxKeys: number): Promise<string[]> {
  const seen: string[] = [];
  let ContinuationToken: string | undefined;
  for (let page = 0; page < 50; page += 1) {
    const answer = await aws.send(
      new ListObjectsV2Command({
        Bucket: bucket,
        MaxKeys,
        ...query,
        ...(ContinuationToken && { ContinuationToken }),
      }),
    );
    const lines = [
      ...(answer.Contents ?? []).map((entry) => entry.Key!),
      ...(answer.CommonPrefixes ?? []).map((g) => g.Prefix!),
    ];
    expect(lines.length).toBeLessThanOrEqual(MaxKeys);
    expect(answer.KeyCount).toBe(lines.length);
    seen.push(...lines);
    if (!answer.IsTruncated) return seen;
    ContinuationToken = answer.NextContinuationToken;
  }
  throw new Error('the listing does not end');
}

async function listV1(query: object, MaxKeys: number): Promise<string[]> {
  const seen: string[] = [];
  let Marker: string | undefined;
  for (let page = 0; page < 50; page += 1) {
    const answer = await aws.send(
      new ListObjectsCommand({ Bucket: bucket, MaxKeys, ...query, ...(Marker && { Marker }) }),
    );
    const contents = (answer.Contents ?? []).map((entry) => entry.Key!);
    seen.push(...contents, ...(answer.CommonPrefixes ?? []).map((group) => group.Prefix!));
    if (!answer.IsTruncated) return seen;
    Marker = answer.NextMarker ?? contents.at(-1);
  }
  throw new Error('the listing does not end');
}

describe('listings', () => {
  const cases: Array<[object, string[]]> = [
    [{}, keys],
    [{ Prefix: 'b' }, ['b/1', 'b/2', 'b/c/3', 'b/c/4', 'b0']],
    [{ Delimiter: '/' }, ['a.txt', 'b/', 'b0', 'c/', 'd & <e>.txt', 'z é.txt']],
    [{ Prefix: 'b/', Delimiter: '/' }, ['b/1', 'b/2', 'b/c/']],
    [{ Prefix: 'nothing' }, []],
    [{ Delimiter: 't' }, ['a.t', 'b/1', 'b/2', 'b/c/3', 'b/c/4', 'b0', 'c/5', 'd & <e>.t', 'z é.t']],
  ];

  it.each(cases)('are the same in pages of any size: %j', async (query, expected) => {
    for (const size of [1, 2, 3, 1000]) {
      expect((await listV2(query, size)).sort(compareKeys)).toEqual([...expected].sort(compareKeys));
      expect((await listV1(query, size)).sort(compareKeys)).toEqual([...expected].sort(compareKeys));
    }
  });

  it('begin behind a key that is asked for', async () => {
    expect(await listV2({ StartAfter: 'b/2' }, 1000)).toEqual([
      'b/c/3',
      'b/c/4',
      'b0',
      'c/5',
      'd & <e>.txt',
      'z é.txt',
    ]);
  });

  it('encode keys on demand', async () => {
    const answer = await aws.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: 'd', EncodingType: 'url' }),
    );
    expect(answer.Contents?.[0]?.Key).toMatch(/^d(%20|\+)%26(%20|\+)%3Ce%3E\.txt$/);
  });

  it('say size, ETag and time', async () => {
    const { Contents } = await aws.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'a.txt' }));
    expect(Contents?.[0]).toMatchObject({
      Key: 'a.txt',
      Size: 1,
      ETag: '"9dd4e461268c8034f5c8564e155c67a6"',
    });
    expect(Math.abs(Date.now() - Contents![0]!.LastModified!.getTime())).toBeLessThan(600_000);
  });
});

describe('pages of a sorted map', () => {
  const key = fc.string({
    unit: fc.constantFrom('a', 'b', '/', '-', 'é', '\u{ffff}', '\u{1f600}', '\u{10ffff}'),
    minLength: 1,
    maxLength: 6,
  });

  /** What a listing is by definition: every key in byte order, groups once, nothing else. */
  function whole(all: readonly string[], prefix: string, delimiter: string): string[] {
    const lines = all
      .filter((entry) => entry.startsWith(prefix))
      .map((entry) => {
        const end = delimiter === '' ? -1 : entry.indexOf(delimiter, prefix.length);
        return end < 0 ? entry : entry.slice(0, end + delimiter.length);
      });
    return [...new Set(lines)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }

  it('put together are the whole listing, for any keys', () => {
    const limit = fc.integer({ min: 1, max: 5 });
    const prefix = fc.constantFrom('', 'a', 'a/', '/', 'é');
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { maxLength: 40 }),
        prefix,
        fc.constantFrom('', '/', 'b'),
        limit,
        (all, start, delimiter, size) => {
          const map = new SortedMap<number>();
          for (const [index, entry] of all.entries()) map.set(entry, index);
          const seen: string[] = [];
          for (let after: string | null = ''; after !== null; ) {
            const page: Page<number> = pageOf(map, { prefix: start, delimiter, after, limit: size });
            const lines = [...page.entries.map((entry) => entry.key), ...page.commonPrefixes];
            expect(lines.length).toBeLessThanOrEqual(size);
            seen.push(...lines.sort(compareKeys));
            after = page.next;
          }
          expect(seen).toEqual(whole(all, start, delimiter));
        },
      ),
    );
  });

  it('keep the order while keys come and go', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), key)), (steps) => {
        const map = new SortedMap<string>();
        const model = new Map<string, string>();
        for (const [add, name] of steps) {
          if (add) map.set(name, name);
          else map.delete(name);
          if (add) model.set(name, name);
          else model.delete(name);
        }
        const expected = [...model.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        expect([...map.entries()].map(([name]) => name)).toEqual(expected);
      }),
    );
  });
});
