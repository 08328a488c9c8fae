import { createHash } from 'node:crypto';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  awsClient,
  type Endpoint,
  isForeign,
  minioClient,
  newBucket,
  openEndpoint,
  rawRequest,
  readAll,
  sendSigned,
  statusOf,
} from './fixture.ts';
import { presigned } from './sign.ts';

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

describe('ranges', () => {
  it.each([
    ['bytes=5-9', body.subarray(5, 10), '5-9'],
    ['bytes=1190-', body.subarray(1190), '1190-1199'],
    ['bytes=-5', body.subarray(-5), '1195-1199'],
    ['bytes=-5000', body, '0-1199'],
    ['bytes=1190-9999', body.subarray(1190), '1190-1199'],
  ])('%s', async (range, expected, position) => {
    const answer = await send('GET', 'ten.txt', { range });
    expect(answer.status).toBe(206);
    expect(answer.text).toBe(expected.toString());
    expect(answer.headers['content-range']).toBe(`bytes ${position}/${body.length}`);
  });

  it('answers 416 beyond the end', async () => {
    expect((await send('GET', 'ten.txt', { range: 'bytes=1200-' })).status).toBe(416);
  });

  it('sends everything for what it cannot read as a range', async () => {
    const answer = await send('GET', 'ten.txt', { range: 'lines=1-2' });
    expect(answer).toMatchObject({ status: 200, text: body.toString() });
  });
});

describe('conditions', () => {
  it('saves a transfer', async () => {
    expect((await send('GET', 'ten.txt', { 'if-none-match': `"${md5}"` })).status).toBe(304);
    expect((await send('GET', 'ten.txt', { 'if-none-match': '"other"' })).status).toBe(200);
    const tomorrow = new Date(Date.now() + 86_400_000).toUTCString();
    expect((await send('GET', 'ten.txt', { 'if-modified-since': tomorrow })).status).toBe(304);
  });

  it('guards a read', async () => {
    expect((await send('GET', 'ten.txt', { 'if-match': `"${md5}"` })).status).toBe(200);
    expect((await send('GET', 'ten.txt', { 'if-match': '"other"' })).status).toBe(412);
    const longAgo = new Date(0).toUTCString();
    expect((await send('GET', 'ten.txt', { 'if-unmodified-since': longAgo })).status).toBe(412);
  });

  it('guards a write', async () => {
    const put = (Key: string, condition: object) =>
      statusOf(aws.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'x', ...condition })));
    await minio.putObject(bucket, 'guarded', body);
    expect(await put('guarded', { IfNoneMatch: '*' })).toBe(412);
    expect(await put('guarded', { IfMatch: '"other"' })).toBe(412);
    expect(await read('guarded')).toEqual(body);
    expect(await put('guarded-new', { IfNoneMatch: '*' })).toBe(200);
    expect(await put('guarded', { IfMatch: `"${md5}"` })).toBe(200);
  });

  it('lets one of many creators win', async () => {
    const creators = Array.from({ length: 8 }, (_, index) =>
      statusOf(
        aws.send(
          new PutObjectCommand({ Bucket: bucket, Key: 'one-winner', Body: `${index}`, IfNoneMatch: '*' }),
        ),
      ),
    );
    const statuses = await Promise.all(creators);
    expect(statuses.filter((status) => status === 200)).toHaveLength(1);
  });
});

describe('answers that arrive', () => {
  it('shows the refusal of a body that was being sent', async () => {
    // A connection closed on unread bytes is reset, and the client sees the reset instead of the 403.
    const address = `${server.url}/${bucket}/refused`;
    for (let round = 0; round < 5; round += 1) {
      const answer = await fetch(address, { method: 'PUT', body: Buffer.alloc(700_000) });
      expect(answer.status).toBe(403);
      await answer.text();
    }
  });

  it('refuses before the body when the client waits for a sign', async () => {
    const target = presigned(
      { ...server, secretKey: 'wrong' },
      { method: 'PUT', path: `/${bucket}/x`, host: host() },
      60,
    );
    const answer = await rawRequest(server, 'PUT', target, { expect: '100-continue' }, 'x');
    expect(answer.status).toBe(403);
  });

  it.skipIf(isForeign)('tells a monitor that it is alive without a signature', async () => {
    expect((await rawRequest(server, 'GET', '/minio/health/live')).status).toBe(200);
  });
});

describe('browsers', () => {
  it('allows other origins to put and shows them the ETag', async () => {
    const preflight = await rawRequest(server, 'OPTIONS', `/${bucket}/x`, {
      origin: 'https://app.example',
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'content-type',
    });
    expect(preflight.status).toBeLessThan(300);
    expect(['*', 'https://app.example']).toContain(preflight.headers['access-control-allow-origin']);
    expect(preflight.headers['access-control-allow-methods']).toContain('PUT');
    const answer = await send('GET', 'ten.txt', { origin: 'https://app.example' });
    expect(['*', 'https://app.example']).toContain(answer.headers['access-control-allow-origin']);
    expect(String(answer.headers['access-control-expose-headers']).toLowerCase()).toMatch(/etag|\*/);
  });
});
