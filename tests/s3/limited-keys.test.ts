import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awsClient, type Endpoint, minioClient, ROOT, rawRequest, readAll, startOwn } from './fixture.ts';
import { postFields, presigned, signedHeaders } from './sign.ts';

/** A key that may use one prefix of one bucket only. */

const INBOX = { accessKey: 'inbox-key', secretKey: 'inbox-secret-0123456789' };
const READER = { accessKey: 'reader-key', secretKey: 'reader-secret-0123456789' };
let server: Endpoint;
let root: Client;
let minio: Client;
let aws: S3Client;

beforeAll(async () => {
  server = await startOwn({
    credentials: [
      ROOT,
      {
        ...INBOX,
        scope: { bucket: 'media', prefixes: ['inbox/'], rights: ['read', 'write', 'list', 'delete'] },
      },
      { ...READER, scope: { bucket: 'media', prefixes: ['inbox/'], rights: ['read'] } },
    ],
  });
  root = minioClient(server);
  minio = minioClient(server, INBOX);
  aws = awsClient(server, INBOX);
  for (const bucket of ['media', 'private']) await root.makeBucket(bucket);
  await root.putObject('media', 'secret/a', 'secret');
  await root.putObject('media', 'inboxed', 'not in the inbox');
  await root.putObject('private', 'inbox/a', 'secret');
});
afterAll(() => server.close());

const refused = { code: expect.stringMatching(/AccessDenied|Forbidden/) };
const host = (): string => `${server.host}:${server.port}`;

describe('a key limited to a prefix', () => {
  it('does everything inside', async () => {
    await minio.putObject('media', 'inbox/x', 'mine');
    expect((await readAll(await minio.getObject('media', 'inbox/x'))).toString()).toBe('mine');
    await minio.copyObject('media', 'inbox/y', '/media/inbox/x');
    const { Contents } = await aws.send(new ListObjectsV2Command({ Bucket: 'media', Prefix: 'inbox/' }));
    expect(Contents?.map((entry) => entry.Key)).toEqual(['inbox/x', 'inbox/y']);
    await minio.removeObject('media', 'inbox/y');
    expect(await minio.bucketExists('media')).toBe(true);
    expect((await minio.listBuckets()).map((bucket) => bucket.name)).toEqual(['media']);
  });

  it('does nothing outside', async () => {
    await expect(minio.putObject('media', 'secret/b', 'x')).rejects.toMatchObject(refused);
    await expect(minio.putObject('media', 'inboxed', 'x')).rejects.toMatchObject(refused);
    await expect(minio.putObject('private', 'inbox/b', 'x')).rejects.toMatchObject(refused);
    await expect(minio.getObject('media', 'secret/a')).rejects.toMatchObject(refused);
    await expect(minio.getObject('private', 'inbox/a')).rejects.toMatchObject(refused);
    await expect(minio.removeObject('media', 'secret/a')).rejects.toMatchObject(refused);
    await expect(minio.getObjectTagging('media', 'secret/a')).rejects.toMatchObject(refused);
    await expect(minio.initiateNewMultipartUpload('media', 'secret/m', {})).rejects.toMatchObject(refused);
    await expect(minio.makeBucket('another')).rejects.toMatchObject(refused);
    await expect(minio.removeBucket('media')).rejects.toMatchObject(refused);
    await expect(minio.setBucketNotification('media', {} as never)).rejects.toThrow();
    expect((await readAll(await root.getObject('media', 'secret/a'))).toString()).toBe('secret');
  });

  it('does not reach out by presigned address, copy source or form', async () => {
    const signer = { ...INBOX, region: server.region };
    const target = presigned(signer, { method: 'GET', path: '/media/secret/a', host: host() }, 60);
    expect((await rawRequest(server, 'GET', target)).status).toBe(403);
    for (const CopySource of [
      'media/secret/a',
      'private/inbox/a',
      'media/inbox/../secret/a',
      '/media/secret%2Fa',
    ]) {
      const copy = aws.send(new CopyObjectCommand({ Bucket: 'media', Key: 'inbox/stolen', CopySource }));
      await expect(copy).rejects.toMatchObject({ name: expect.stringMatching(/AccessDenied|NoSuchKey/) });
    }
    await expect(root.statObject('media', 'inbox/stolen')).rejects.toThrow();
    const fields = postFields(signer, [{ bucket: 'media' }, { key: 'secret/posted' }]);
    const form = new FormData();
    for (const [name, value] of Object.entries({ key: 'secret/posted', ...fields })) form.append(name, value);
    form.append('file', new Blob(['x']));
    expect((await fetch(`${server.url}/media`, { method: 'POST', body: form })).status).toBe(403);
  });

  it('lists under its prefix only', async () => {
    const list = (query: object) => aws.send(new ListObjectsV2Command({ Bucket: 'media', ...query }));
    await expect(list({})).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(list({ Prefix: 'inbox' })).rejects.toMatchObject({ name: 'AccessDenied' });
    await expect(list({ Prefix: 'secret/' })).rejects.toMatchObject({ name: 'AccessDenied' });
    const request = { method: 'GET', path: '/media', host: host(), query: { uploads: '' } };
    const { headers, target } = signedHeaders({ ...INBOX, region: server.region }, request);
    expect((await rawRequest(server, 'GET', target, headers)).status).toBe(403);
  });

  it('deletes in bulk only what is inside', async () => {
    await root.putObject('media', 'inbox/gone', 'x');
    const Objects = [{ Key: 'inbox/gone' }, { Key: 'secret/a' }];
    const answer = await aws.send(new DeleteObjectsCommand({ Bucket: 'media', Delete: { Objects } }));
    expect(answer.Deleted?.map((entry) => entry.Key)).toEqual(['inbox/gone']);
    expect(answer.Errors).toMatchObject([{ Key: 'secret/a', Code: 'AccessDenied' }]);
    expect((await root.statObject('media', 'secret/a')).size).toBe(6);
  });

  it('has no right that it was not given', async () => {
    await root.putObject('media', 'inbox/read-me', 'x');
    const reader = minioClient(server, READER);
    expect((await reader.statObject('media', 'inbox/read-me')).size).toBe(1);
    await expect(reader.putObject('media', 'inbox/new', 'x')).rejects.toMatchObject(refused);
    await expect(reader.removeObject('media', 'inbox/read-me')).rejects.toMatchObject(refused);
    const list = awsClient(server, READER).send(
      new ListObjectsV2Command({ Bucket: 'media', Prefix: 'inbox/' }),
    );
    await expect(list).rejects.toMatchObject({ name: 'AccessDenied' });
  });
});
