import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
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
} from './fixture.ts';
import { presigned } from './sign.ts';

let server: Endpoint;
let minio: Client;
let aws: S3Client;
let bucket: string;
const MIB = 1 << 20;
const big = randomBytes(17 * MIB);

beforeAll(async () => {
  server = await openEndpoint();
  minio = minioClient(server);
  aws = awsClient(server);
  bucket = await newBucket(minio);
});
afterAll(() => server.close());

const read = async (key: string): Promise<Buffer> => readAll(await minio.getObject(bucket, key));

async function begin(Key: string): Promise<{ Bucket: string; Key: string; UploadId: string }> {
  const { UploadId } = await aws.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
  return { Bucket: bucket, Key, UploadId: UploadId! };
}

type Upload = Awaited<ReturnType<typeof begin>>;

async function putPart(upload: Upload, PartNumber: number, Body: Buffer) {
  const { ETag } = await aws.send(new UploadPartCommand({ ...upload, PartNumber, Body }));
  return { PartNumber, ETag };
}

const complete = (upload: Upload, Parts: Array<{ PartNumber: number; ETag: string | undefined }>) =>
  aws.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));

describe('multipart uploads', () => {
  it('puts parts sent in parallel and out of order together', async () => {
    const upload = await begin('parallel');
    const sizes = [5 * MIB, 5 * MIB, 5 * MIB, 2 * MIB];
    const parts = await Promise.all(
      [4, 2, 1, 3].map((number) => {
        const start = (number - 1) * 5 * MIB;
        return putPart(upload, number, big.subarray(start, start + sizes[number - 1]!));
      }),
    );
    const { ETag } = await complete(
      upload,
      parts.sort((a, b) => a.PartNumber - b.PartNumber),
    );
    const digests = parts.map((part) => Buffer.from(part.ETag!.replaceAll('"', ''), 'hex'));
    expect(ETag).toBe(`"${createHash('md5').update(Buffer.concat(digests)).digest('hex')}-4"`);
    expect((await read('parallel')).equals(big)).toBe(true);
  });

  it('serves ranges that cross parts', async () => {
    const edge = 5 * MIB;
    const range = await minio.getPartialObject(bucket, 'parallel', edge - 3, 6);
    expect(await readAll(range)).toEqual(big.subarray(edge - 3, edge + 3));
  });

  it('takes a stream of unknown length from minio-js', async () => {
    const client = minioClient(server, server, 5 * MIB);
    const pieces = Array.from({ length: 17 }, (_, index) => big.subarray(index * MIB, (index + 1) * MIB));
    await client.putObject(bucket, 'streamed', Readable.from(pieces));
    expect((await read('streamed')).equals(big)).toBe(true);
  });

  it('gives completions at the same time, and a repeated one, the same answer', async () => {
    const upload = await begin('raced');
    const parts = [
      await putPart(upload, 1, big.subarray(0, 6 * MIB)),
      await putPart(upload, 2, Buffer.from('end')),
    ];
    const answers = await Promise.all(Array.from({ length: 6 }, () => complete(upload, parts)));
    expect(new Set(answers.map((answer) => answer.ETag)).size).toBe(1);
    expect((await complete(upload, parts)).ETag).toBe(answers[0]!.ETag);
    expect((await read('raced')).length).toBe(6 * MIB + 3);
    const { Uploads } = await aws.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: 'raced' }));
    expect(Uploads ?? []).toEqual([]);
  });

  it('replaces a part that is sent again', async () => {
    const upload = await begin('again');
    await putPart(upload, 1, Buffer.from('first'));
    const part = await putPart(upload, 1, Buffer.from('second'));
    await complete(upload, [part]);
    expect((await read('again')).toString()).toBe('second');
  });

  it('refuses wrong completions and leaves the upload as it was', async () => {
    const upload = await begin('refused');
    const one = await putPart(upload, 1, Buffer.from('small'));
    const two = await putPart(upload, 2, Buffer.from('small too'));
    await expect(
      complete(upload, [{ ...one, ETag: '"00000000000000000000000000000000"' }]),
    ).rejects.toMatchObject({
      name: 'InvalidPart',
    });
    await expect(complete(upload, [{ PartNumber: 3, ETag: two.ETag }])).rejects.toMatchObject({
      name: 'InvalidPart',
    });
    await expect(complete(upload, [two, one])).rejects.toMatchObject({ name: 'InvalidPartOrder' });
    await expect(complete(upload, [one, two])).rejects.toMatchObject({ name: 'EntityTooSmall' });
    await complete(upload, [two]);
    expect((await read('refused')).toString()).toBe('small too');
  });

  it('forgets an aborted upload', async () => {
    const upload = await begin('aborted');
    const part = await putPart(upload, 1, Buffer.from('abc'));
    await aws.send(new AbortMultipartUploadCommand(upload));
    await expect(complete(upload, [part])).rejects.toMatchObject({ name: 'NoSuchUpload' });
    await expect(putPart(upload, 2, Buffer.from('x'))).rejects.toMatchObject({ name: 'NoSuchUpload' });
    await expect(minio.statObject(bucket, 'aborted')).rejects.toThrow();
  });

  it('takes parts by presigned addresses, as browsers send them', async () => {
    const upload = await begin('browser');
    const host = `${server.host}:${server.port}`;
    const query = { partNumber: '1', uploadId: upload.UploadId };
    const target = presigned(server, { method: 'PUT', path: `/${bucket}/browser`, query, host }, 60);
    const answer = await rawRequest(server, 'PUT', target, {}, 'abc');
    expect(answer.status).toBe(200);
    const tampered = await rawRequest(
      server,
      'PUT',
      target.replace('partNumber=1', 'partNumber=2'),
      {},
      'abc',
    );
    expect(tampered.status).toBe(403);
    await complete(upload, [{ PartNumber: 1, ETag: String(answer.headers.etag) }]);
    expect((await read('browser')).toString()).toBe('abc');
  });

  it('copies ranges of other objects into parts', async () => {
    const upload = await begin('copied');
    const CopySource = `${bucket}/parallel`;
    const half = 9 * MIB;
    const ranges = [`bytes=0-${half - 1}`, `bytes=${half}-${big.length - 1}`];
    const parts = [];
    for (const [index, CopySourceRange] of ranges.entries()) {
      const command = new UploadPartCopyCommand({
        ...upload,
        PartNumber: index + 1,
        CopySource,
        CopySourceRange,
      });
      const { CopyPartResult } = await aws.send(command);
      parts.push({ PartNumber: index + 1, ETag: CopyPartResult?.ETag });
    }
    await complete(upload, parts);
    expect((await read('copied')).equals(big)).toBe(true);
  });
});

describe('listing of uploads and parts', () => {
  it('pages through parts', async () => {
    const upload = await begin('many-parts');
    for (const number of [1, 2, 3, 5, 8]) await putPart(upload, number, Buffer.from(`part ${number}`));
    const seen: number[] = [];
    let PartNumberMarker: string | undefined;
    for (let page = 0; page < 5; page += 1) {
      const answer = await aws.send(new ListPartsCommand({ ...upload, MaxParts: 2, PartNumberMarker }));
      seen.push(...(answer.Parts ?? []).map((part) => part.PartNumber!));
      if (!answer.IsTruncated) break;
      PartNumberMarker = answer.NextPartNumberMarker;
    }
    expect(seen).toEqual([1, 2, 3, 5, 8]);
    await aws.send(new AbortMultipartUploadCommand(upload));
  });

  // SeaweedFS and others page uploads differently; our clients rely on the markers of AWS.
  it.skipIf(isForeign)('pages through uploads by key and id', async () => {
    const started = await Promise.all(['u/a', 'u/a', 'u/a', 'u/b', 'u/c/d', 'u/c/e'].map(begin));
    const list = async (query: object): Promise<string[]> => {
      const seen: string[] = [];
      let markers: { KeyMarker?: string; UploadIdMarker?: string } = {};
      for (let page = 0; page < 10; page += 1) {
        const command = new ListMultipartUploadsCommand({
          Bucket: bucket,
          Prefix: 'u/',
          MaxUploads: 2,
          ...query,
          ...markers,
        });
        const answer = await aws.send(command);
        seen.push(...(answer.Uploads ?? []).map((upload) => `${upload.Key} ${upload.UploadId}`));
        seen.push(...(answer.CommonPrefixes ?? []).map((group) => group.Prefix!));
        if (!answer.IsTruncated) break;
        markers = { KeyMarker: answer.NextKeyMarker!, UploadIdMarker: answer.NextUploadIdMarker! };
      }
      return seen;
    };
    const all = started.map((upload) => `${upload.Key} ${upload.UploadId}`);
    expect((await list({})).sort()).toEqual([...all].sort());
    const grouped = await list({ Delimiter: '/' });
    expect(grouped).toHaveLength(5);
    expect(grouped.at(-1)).toBe('u/c/');
    for (const upload of started) await aws.send(new AbortMultipartUploadCommand(upload));
  });
});
