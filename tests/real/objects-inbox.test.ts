/** infra/objects/inbox-login on a real MinIO: a login that reaches the inbox and nothing else. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awsClient, minioClient, readAll } from '../s3/fixture.ts';
import { type RunningServer, startMinio } from './objects-servers.ts';
import { allHere, pathOf } from './parts.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, '../../infra/objects/inbox-login');
const INBOX = { accessKey: 'INBOXINBOXINBOXINBOX', secretKey: 'inbox-secret-0123456789' };
const refused = { code: 'AccessDenied' };

describe.skipIf(!allHere('The login for the inbox', 'minio', 'mc'))(
  'the login for the inbox on MinIO',
  () => {
    let minio: RunningServer;
    let secretsDir: string;
    let root: Client;
    let inbox: Client;
    const setLogin = () =>
      run(SCRIPT, {
        env: {
          PATH: process.env.PATH,
          HOME: secretsDir,
          MC: pathOf('mc'),
          AIMA_S3_ENDPOINT: minio.url,
          AIMA_SECRETS_DIR: secretsDir,
        },
      });

    beforeAll(async () => {
      minio = await startMinio();
      secretsDir = await mkdtemp(join(tmpdir(), 'aima-inbox-'));
      const secrets = {
        's3-access-key': minio.accessKey,
        's3-secret-key': minio.secretKey,
        's3-inbox-access-key': INBOX.accessKey,
        's3-inbox-secret-key': INBOX.secretKey,
      };
      for (const [name, value] of Object.entries(secrets)) await writeFile(join(secretsDir, name), value);
      root = minioClient(minio);
      inbox = minioClient(minio, INBOX);
      for (const name of ['media', 'other']) await root.makeBucket(name);
      await root.putObject('media', 'uploads/1/a.wav', 'secret');
      await setLogin();
    });
    afterAll(async () => {
      await minio?.close();
      await rm(secretsDir, { recursive: true, force: true });
    });

    it('may be set again, and says no secret', async () => {
      const { stdout, stderr } = await setLogin();
      expect(stdout).toBe('objects: the login for the inbox of media is set\n');
      expect(stderr).toBe('');
    });

    it('does everything inside', async () => {
      await inbox.putObject('media', 'inbox/a.wav', 'small');
      await inbox.copyObject('media', 'inbox/b.wav', '/media/inbox/a.wav');
      expect((await readAll(await inbox.getObject('media', 'inbox/b.wav'))).toString()).toBe('small');
      const aws = awsClient(minio, INBOX);
      const named = { Bucket: 'media', Key: 'inbox/parts.wav' };
      const { UploadId } = await aws.send(new CreateMultipartUploadCommand(named));
      const part = { ...named, UploadId, PartNumber: 1 };
      const { ETag } = await aws.send(new UploadPartCommand({ ...part, Body: 'large' }));
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
      await aws.send(new CompleteMultipartUploadCommand({ ...named, UploadId, MultipartUpload }));
      const list = new ListObjectsV2Command({ Bucket: 'media', Prefix: 'inbox/' });
      const { Contents } = await aws.send(list);
      expect(Contents?.map(({ Key }) => Key)).toEqual(['inbox/a.wav', 'inbox/b.wav', 'inbox/parts.wav']);
      await inbox.removeObject('media', 'inbox/b.wav');
    });

    it('does nothing outside', async () => {
      await expect(inbox.getObject('media', 'uploads/1/a.wav')).rejects.toMatchObject(refused);
      await expect(inbox.putObject('media', 'uploads/1/b.wav', 'x')).rejects.toMatchObject(refused);
      await expect(inbox.putObject('media', 'inboxed', 'x')).rejects.toMatchObject(refused);
      await expect(inbox.putObject('other', 'inbox/a.wav', 'x')).rejects.toMatchObject(refused);
      await expect(inbox.removeObject('media', 'uploads/1/a.wav')).rejects.toMatchObject(refused);
      await expect(inbox.makeBucket('mine')).rejects.toMatchObject(refused);
      await expect(inbox.setBucketLifecycle('media', { Rule: [] })).rejects.toThrow();
      const aws = awsClient(minio, INBOX);
      const copy = { Bucket: 'media', Key: 'inbox/stolen', CopySource: 'media/uploads/1/a.wav' };
      await expect(aws.send(new CopyObjectCommand(copy))).rejects.toMatchObject({ name: 'AccessDenied' });
      for (const Prefix of ['', 'uploads/']) {
        const list = new ListObjectsV2Command({ Bucket: 'media', Prefix });
        await expect(aws.send(list)).rejects.toMatchObject({ name: 'AccessDenied' });
        const uploads = new ListMultipartUploadsCommand({ Bucket: 'media', Prefix });
        await expect(aws.send(uploads)).rejects.toMatchObject({ name: 'AccessDenied' });
      }
    });
  },
);
