import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  DeleteObjectTaggingCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  awsClient,
  type Endpoint,
  minioClient,
  newBucket,
  openEndpoint,
  rawRequest,
  readAll,
  sendSigned,
  statusOf,
} from './fixture.ts';
import { signedHeaders } from './sign.ts';

let server: Endpoint;
let minio: Client;
let aws: S3Client;
let bucket: string;
const body = Buffer.from('0123456789'.repeat(120));
const md5 = createHash('md5').update(body).digest('hex');

beforeAll(async () => {
  server = await openEndpoint();
  minio = minioClient(server);
  aws = awsClient(server);
  bucket = await newBucket(minio);
  await minio.putObject(bucket, 'ten.txt', body);
});
afterAll(() => server.close());

const read = async (key: string): Promise<Buffer> => readAll(await minio.getObject(bucket, key));
const host = (): string => `${server.host}:${server.port}`;
const send = (method: string, key: string, headers = {}, data?: Buffer, query = {}) =>
  sendSigned(server, method, `/${bucket}/${key}`, { headers, query, ...(data && { body: data }) });

describe('writing and reading', () => {
  it('keeps bytes, MD5 as ETag, content type and metadata', async () => {
    await minio.putObject(bucket, 'a/b', body, body.length, {
      'Content-Type': 'text/x-test',
      'X-Amz-Meta-Job': 'j1',
    });
    const stat = await minio.statObject(bucket, 'a/b');
    expect(stat).toMatchObject({ etag: md5, size: body.length });
    expect(stat.metaData).toMatchObject({ 'content-type': 'text/x-test', job: 'j1' });
    expect(await read('a/b')).toEqual(body);
  });

  it('takes what the AWS SDK sends, whole or as a stream, and verifies its checksums', async () => {
    await aws.send(new PutObjectCommand({ Bucket: bucket, Key: 'aws', Body: body }));
    await aws.send(
      new PutObjectCommand({
        Bucket: bucket,
        Key: 'aws-stream',
        Body: Readable.from([body]),
        ContentLength: body.length,
      }),
    );
    for (const Key of ['aws', 'aws-stream']) {
      const answer = await aws.send(new GetObjectCommand({ Bucket: bucket, Key, ChecksumMode: 'ENABLED' }));
      expect(Buffer.from(await answer.Body!.transformToByteArray())).toEqual(body);
    }
  });

  it.each(['CRC32', 'CRC32C', 'SHA1', 'SHA256'] as const)(
    'verifies %s and gives it back',
    async (algorithm) => {
      const Key = `checksum-${algorithm}`;
      await aws.send(new PutObjectCommand({ Bucket: bucket, Key, Body: body, ChecksumAlgorithm: algorithm }));
      const head = await aws.send(new HeadObjectCommand({ Bucket: bucket, Key, ChecksumMode: 'ENABLED' }));
      expect(head[`Checksum${algorithm}`]).toMatch(/=$/);
    },
  );

  it('refuses a body that does not match its checksum', async () => {
    const wrong = Buffer.alloc(4);
    wrong.writeUInt32BE((crc32(body) ^ 1) >>> 0);
    const other = createHash('md5').update('other').digest('base64');
    expect(
      (await send('PUT', 'bad-1', { 'x-amz-checksum-crc32': wrong.toString('base64') }, body)).status,
    ).toBe(400);
    expect((await send('PUT', 'bad-2', { 'content-md5': other }, body)).status).toBe(400);
    await expect(minio.statObject(bucket, 'bad-1')).rejects.toThrow();
    await expect(minio.statObject(bucket, 'bad-2')).rejects.toThrow();
  });

  it('keeps keys apart that look alike', async () => {
    await minio.putObject(bucket, 'clash', 'file');
    await minio.putObject(bucket, 'clash/', 'folder');
    await minio.putObject(bucket, 'clash/sub', 'below');
    expect((await read('clash')).toString()).toBe('file');
    expect((await read('clash/')).toString()).toBe('folder');
    expect((await read('clash/sub')).toString()).toBe('below');
  });

  it.each(['ö ä/ü+%&=.txt', "a b+c(1)/x'y!.bin", '日本/日.txt', 'a//b', '😀*~', 'trailing '])(
    'serves the key %j',
    async (key) => {
      await minio.putObject(bucket, key, 'q');
      expect((await read(key)).toString()).toBe('q');
      const address = await minio.presignedGetObject(bucket, key, 60);
      expect((await fetch(address)).status).toBe(200);
      const answer = await aws.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      expect(await answer.Body!.transformToString()).toBe('q');
    },
  );

  it('keeps empty objects', async () => {
    await minio.putObject(bucket, 'empty', '');
    expect((await minio.statObject(bucket, 'empty')).size).toBe(0);
    expect(await read('empty')).toHaveLength(0);
  });

  it('answers 404 for what is not there', async () => {
    expect(await send('GET', 'missing')).toMatchObject({ status: 404, code: 'NoSuchKey' });
    expect((await send('HEAD', 'missing')).status).toBe(404);
    expect((await send('DELETE', 'missing')).status).toBe(204);
    const elsewhere = signedHeaders(server, { method: 'GET', path: '/no-such-bucket-here/x', host: host() });
    expect(await rawRequest(server, 'GET', elsewhere.target, elsewhere.headers)).toMatchObject({
      status: 404,
      code: 'NoSuchBucket',
    });
  });

  it('never leaves its folder, whatever the key', async () => {
    for (const key of ['../../evil', 'a/../../evil', './x', '..']) {
      expect((await send('PUT', key, {}, body)).status, key).toBeGreaterThanOrEqual(400);
    }
    for (const path of [`/${bucket}/../../../../etc/passwd`, `/${bucket}/..%2f..%2f..%2f..%2fetc%2fpasswd`]) {
      expect((await rawRequest(server, 'GET', path)).text).not.toContain('root:');
    }
  });

  it('takes keys of 1024 bytes and no longer ones', async () => {
    const key = 'k'.repeat(200);
    const long = [key, key, key, key, 'k'.repeat(220)].join('/'); // 1024 bytes, in segments any file system takes
    expect(Buffer.byteLength(long)).toBe(1024);
    expect((await send('PUT', long, {}, body)).status).toBe(200);
    expect(await send('PUT', `${long}k`, {}, body)).toMatchObject({ status: 400, code: 'KeyTooLongError' });
  });

  it('does not take a subresource for the object', async () => {
    expect(
      (await send('PUT', 'ten.txt', {}, Buffer.from('<x/>'), { retention: '' })).status,
    ).toBeGreaterThanOrEqual(400);
    expect(await read('ten.txt')).toEqual(body);
  });
});

describe('copies, tags, deletion', () => {
  it('copies bytes and description, or replaces the description', async () => {
    await minio.putObject(bucket, 'source', body, body.length, {
      'Content-Type': 'text/x-one',
      'X-Amz-Meta-A': '1',
    });
    const CopySource = `${bucket}/source`;
    await aws.send(new CopyObjectCommand({ Bucket: bucket, Key: 'copy-1', CopySource }));
    await aws.send(
      new CopyObjectCommand({
        Bucket: bucket,
        Key: 'copy-2',
        CopySource,
        MetadataDirective: 'REPLACE',
        ContentType: 'text/x-two',
      }),
    );
    await minio.removeObject(bucket, 'source');
    expect(await read('copy-1')).toEqual(body);
    expect((await minio.statObject(bucket, 'copy-1')).metaData).toMatchObject({
      'content-type': 'text/x-one',
      a: '1',
    });
    const second = (await minio.statObject(bucket, 'copy-2')).metaData;
    expect(second['content-type']).toBe('text/x-two');
    expect(second.a).toBeUndefined();
  });

  it('copies under a condition on the source only', async () => {
    const copy = (condition: object) =>
      statusOf(
        aws.send(
          new CopyObjectCommand({
            Bucket: bucket,
            Key: 'copy-3',
            CopySource: `${bucket}/ten.txt`,
            ...condition,
          }),
        ),
      );
    expect(await copy({ CopySourceIfMatch: '"other"' })).toBe(412);
    expect(await copy({ CopySourceIfMatch: `"${md5}"` })).toBe(200);
  });

  it('keeps tags', async () => {
    const Tagging = { TagSet: [{ Key: 'k 1', Value: 'v+-=._:/@' }] };
    const named = { Bucket: bucket, Key: 'ten.txt' };
    await aws.send(new PutObjectTaggingCommand({ ...named, Tagging }));
    expect((await aws.send(new GetObjectTaggingCommand(named))).TagSet).toEqual(Tagging.TagSet);
    expect((await aws.send(new HeadObjectCommand(named))).ETag).toBe(`"${md5}"`);
    await aws.send(new DeleteObjectTaggingCommand(named));
    expect((await aws.send(new GetObjectTaggingCommand(named))).TagSet).toEqual([]);
  });

  it('deletes many at once', async () => {
    const keys = Array.from({ length: 30 }, (_, index) => `bulk/${index} & more`);
    await Promise.all(keys.map((key) => minio.putObject(bucket, key, 'x')));
    const Objects = [...keys, 'bulk/never-there'].map((Key) => ({ Key }));
    const answer = await aws.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
    expect(answer.Deleted).toHaveLength(31);
    expect(answer.Errors ?? []).toHaveLength(0);
    await expect(minio.statObject(bucket, keys[0]!)).rejects.toThrow();
  });
});
