import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { ListPartsCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { forgeries, stretchedAddresses } from './bypass.ts';
import {
  awsClient,
  type Endpoint,
  minioClient,
  newBucket,
  openEndpoint,
  rawRequest,
  readAll,
} from './fixture.ts';
import { chunkedBody, presigned, type Signer, sha256, signedHeaders } from './sign.ts';

/** Who is let in: everything here must hold on any S3 server. */

let server: Endpoint;
let bucket: string;
let host: string;
const body = Buffer.from('hello world '.repeat(100));

beforeAll(async () => {
  server = await openEndpoint();
  host = `${server.host}:${server.port}`;
  const client = minioClient(server);
  bucket = await newBucket(client);
  await client.putObject(bucket, 'a/b.txt', body);
});
afterAll(() => server.close());

const stranger = (): Signer => ({ ...server, accessKey: 'nobody' });
const impostor = (): Signer => ({ ...server, secretKey: `${server.secretKey}x` });
const path = (key: string): string => `/${bucket}/${key}`;

async function stored(key: string): Promise<Buffer | null> {
  try {
    return await readAll(await minioClient(server).getObject(bucket, key));
  } catch {
    return null;
  }
}

async function send(method: string, key: string, signer: Signer, data?: Buffer, extra: { at?: number } = {}) {
  const hash = sha256(data ?? '');
  const { headers, target } = signedHeaders(signer, { method, path: path(key), host, ...extra }, hash);
  return rawRequest(server, method, target, headers, data);
}

describe('signed headers', () => {
  it('lets the right key in', async () => {
    expect((await send('GET', 'a/b.txt', server)).text).toBe(body.toString());
    expect((await send('PUT', 'by-hand', server, body)).status).toBe(200);
    expect(await stored('by-hand')).toEqual(body);
  });

  it('refuses a request without a signature', async () => {
    expect((await rawRequest(server, 'GET', path('a/b.txt'))).status).toBe(403);
    expect((await rawRequest(server, 'PUT', path('anonymous'), {}, 'x')).status).toBe(403);
    expect((await rawRequest(server, 'DELETE', path('a/b.txt'))).status).toBe(403);
    expect((await rawRequest(server, 'GET', '/')).status).toBe(403);
    expect(await stored('anonymous')).toBeNull();
  });

  it('refuses a wrong secret and an unknown key', async () => {
    expect(await send('GET', 'a/b.txt', impostor())).toMatchObject({
      status: 403,
      code: 'SignatureDoesNotMatch',
    });
    expect(await send('GET', 'a/b.txt', stranger())).toMatchObject({
      status: 403,
      code: 'InvalidAccessKeyId',
    });
    expect((await send('PUT', 'evil', impostor(), body)).status).toBe(403);
    expect(await stored('evil')).toBeNull();
  });

  it('refuses a clock that is more than 15 minutes off', async () => {
    for (const minutes of [-16, 16]) {
      const answer = await send('GET', 'a/b.txt', server, undefined, { at: Date.now() + minutes * 60_000 });
      expect(answer).toMatchObject({ status: 403, code: 'RequestTimeTooSkewed' });
    }
    const close = await send('GET', 'a/b.txt', server, undefined, { at: Date.now() - 10 * 60_000 });
    expect(close.status).toBe(200);
  });

  it('refuses a signature made for another region', async () => {
    const answer = await send('GET', 'a/b.txt', { ...server, region: 'mars-north-1' });
    expect(answer).toMatchObject({ status: 400, code: 'AuthorizationHeaderMalformed' });
  });

  it('refuses a request changed after signing', async () => {
    const { headers, target } = signedHeaders(server, { method: 'GET', path: path('a/b.txt'), host });
    expect((await rawRequest(server, 'GET', `${target}x`, headers)).status).toBe(403);
    expect((await rawRequest(server, 'DELETE', target, headers)).status).toBe(403);
    expect((await rawRequest(server, 'GET', `${target}?uploads`, headers)).status).toBe(403);
    expect((await rawRequest(server, 'GET', target, { ...headers, host: 'elsewhere:9000' })).status).toBe(
      403,
    );
  });

  it('refuses a body that is not the one whose hash was signed', async () => {
    const { headers, target } = signedHeaders(
      server,
      { method: 'PUT', path: path('forged'), host },
      sha256(body),
    );
    const answer = await rawRequest(server, 'PUT', target, headers, Buffer.from('x'.repeat(body.length)));
    expect(answer).toMatchObject({ status: 400, code: 'XAmzContentSHA256Mismatch' });
    expect(await stored('forged')).toBeNull();
  });

  it('refuses SigV2', async () => {
    const headers = { authorization: `AWS ${server.accessKey}:c2lnbmF0dXJl`, date: new Date().toUTCString() };
    expect((await rawRequest(server, 'GET', path('a/b.txt'), headers)).status).toBeGreaterThanOrEqual(400);
  });
});

describe('a known access key without its secret', () => {
  it('opens nothing, however the request is made up', async () => {
    const client = minioClient(server);
    const upload = {
      key: 'bypass-part',
      uploadId: await client.initiateNewMultipartUpload(bucket, 'bypass-part', {}),
    };
    for (const { name, method, target, headers, body: data, key } of forgeries(server, {
      host,
      bucket,
      upload,
    })) {
      const answer = await rawRequest(server, method, target, headers, data);
      expect([400, 403], name).toContain(answer.status);
      expect(await stored(key), name).toBeNull();
    }
    const named = { Bucket: bucket, Key: upload.key, UploadId: upload.uploadId };
    expect((await awsClient(server).send(new ListPartsCommand(named))).Parts ?? []).toEqual([]);
  });
});

describe('presigned addresses', () => {
  const url = (method: string, key: string, seconds: number, signer: Signer = server, at?: number) =>
    presigned(signer, { method, path: path(key), host, ...(at !== undefined && { at }) }, seconds);

  it('reads and writes', async () => {
    expect((await rawRequest(server, 'GET', url('GET', 'a/b.txt', 60))).text).toBe(body.toString());
    const put = await rawRequest(
      server,
      'PUT',
      url('PUT', 'up/1', 60),
      { 'content-type': 'video/x-test' },
      body,
    );
    expect(put.status).toBe(200);
    expect(put.headers.etag).toBe(`"${createHash('md5').update(body).digest('hex')}"`);
    const stat = await minioClient(server).statObject(bucket, 'up/1');
    expect(stat.metaData['content-type']).toBe('video/x-test');
  });

  it('works as minio-js signs it, with response headers overridden', async () => {
    const address = await minioClient(server).presignedGetObject(bucket, 'a/b.txt', 60, {
      'response-content-disposition': 'attachment; filename="x.txt"',
      'response-content-type': 'application/x-y',
    });
    const answer = await fetch(address);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/x-y');
    expect(answer.headers.get('content-disposition')).toContain('x.txt');
  });

  it('ends at its time', async () => {
    const past = Date.now() - 10_000;
    expect((await rawRequest(server, 'GET', url('GET', 'a/b.txt', 5, server, past))).status).toBe(403);
    expect((await rawRequest(server, 'PUT', url('PUT', 'late', 5, server, past), {}, 'x')).status).toBe(403);
    expect((await rawRequest(server, 'GET', url('GET', 'a/b.txt', 60, server, past))).status).toBe(200);
    expect(await stored('late')).toBeNull();
  });

  it('lives seven days at most', async () => {
    expect((await rawRequest(server, 'GET', url('GET', 'a/b.txt', 604_801))).status).toBe(400);
    expect((await rawRequest(server, 'GET', url('GET', 'a/b.txt', 0))).status).toBeGreaterThanOrEqual(400);
  });

  it('cannot be bent to another key, method or time', async () => {
    const get = url('GET', 'a/b.txt', 60);
    expect((await rawRequest(server, 'GET', get.replace('b.txt', 'c.txt'))).status).toBe(403);
    expect((await rawRequest(server, 'PUT', get, {}, 'x')).status).toBe(403);
    expect((await rawRequest(server, 'DELETE', get)).status).toBe(403);
    expect((await rawRequest(server, 'GET', get.replace('Expires=60', 'Expires=600'))).status).toBe(403);
    expect((await rawRequest(server, 'GET', url('GET', 'a/b.txt', 60, impostor()))).status).toBe(403);
    expect((await rawRequest(server, 'GET', url('GET', 'a/b.txt', 60, stranger()))).status).toBe(403);
  });

  it('holds the sender to the headers that were signed', async () => {
    const headers = { 'content-type': 'image/png' };
    const address = presigned(server, { method: 'PUT', path: path('typed'), host, headers }, 60);
    expect((await rawRequest(server, 'PUT', address, { 'content-type': 'text/html' }, 'x')).status).toBe(403);
    expect((await rawRequest(server, 'PUT', address, headers, 'x')).status).toBe(200);
  });

  it('does not reach another object for its holder', async () => {
    const options = { host, bucket, from: 'a/b.txt' };
    for (const { name, method, target, headers, body: data, key } of stretchedAddresses(server, options)) {
      await rawRequest(server, method, target, headers, data);
      expect(await stored(key), name).toBeNull();
    }
  });
});

describe('chunked bodies', () => {
  const chunks = [Buffer.alloc(70_000, 'a'), Buffer.alloc(8192, 'b'), Buffer.from('end')];
  const whole = Buffer.concat(chunks);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(whole));
  const trailer = ['x-amz-checksum-crc32', checksum.toString('base64')] as const;

  interface Case {
    key: string;
    hash: string;
    signed?: boolean;
    trailer?: readonly [string, string];
    spoil?: (data: Buffer) => Buffer;
    decodedLength?: number;
  }

  async function put({ key, hash, signed, trailer: sent, spoil = (data) => data, decodedLength }: Case) {
    const at = Date.now();
    const headers = {
      'x-amz-decoded-content-length': String(decodedLength ?? whole.length),
      'content-encoding': 'aws-chunked',
      ...(sent && { 'x-amz-trailer': sent[0] }),
    };
    const request = signedHeaders(server, { method: 'PUT', path: path(key), host, headers, at }, hash);
    const data = chunkedBody(chunks, {
      ...(signed && { signer: server, at, seed: request.signature }),
      ...(sent && { trailer: sent }),
    });
    return rawRequest(server, 'PUT', request.target, request.headers, spoil(data));
  }
  const flipByte = (data: Buffer): Buffer => {
    const copy = Buffer.from(data);
    copy[1000] = 0x7a;
    return copy;
  };

  it('are accepted signed, signed with a trailer, and with an unsigned trailer', async () => {
    const cases: Case[] = [
      { key: 'c/signed', hash: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', signed: true },
      { key: 'c/trailer', hash: 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER', signed: true, trailer },
      { key: 'c/unsigned', hash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER', trailer },
    ];
    for (const entry of cases) {
      expect(await put(entry)).toMatchObject({ status: 200 });
      expect((await stored(entry.key))?.equals(whole)).toBe(true);
    }
    const stat = await minioClient(server).statObject(bucket, 'c/signed');
    expect(stat.metaData['content-encoding'] ?? '').not.toContain('aws-chunked');
  });

  it('are refused when a signed chunk was changed', async () => {
    const hash = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
    expect((await put({ key: 'c/forged', hash, signed: true, spoil: flipByte })).status).toBe(403);
    expect(await stored('c/forged')).toBeNull();
  });

  it('are refused when chunks are not signed as announced', async () => {
    const hash = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD';
    expect((await put({ key: 'c/bare', hash })).status).toBeGreaterThanOrEqual(400);
    expect(await stored('c/bare')).toBeNull();
  });

  it('are refused when the trailing checksum does not match', async () => {
    const hash = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
    expect((await put({ key: 'c/damaged', hash, trailer, spoil: flipByte })).status).toBe(400);
    expect(await stored('c/damaged')).toBeNull();
  });

  it('are refused when the trailer signature or the length is wrong', async () => {
    const hash = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER';
    const spoil = (data: Buffer): Buffer =>
      Buffer.from(data.toString('latin1').replace(/(trailer-signature:)./, '$1g'), 'latin1');
    expect(
      (await put({ key: 'c/trailer-forged', hash, signed: true, trailer, spoil })).status,
    ).toBeGreaterThanOrEqual(400);
    const short = await put({
      key: 'c/short',
      hash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      trailer,
      decodedLength: whole.length + 1,
    });
    expect(short.status).toBe(400);
    expect(await stored('c/short')).toBeNull();
  });
});
