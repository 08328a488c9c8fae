import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteBucketLifecycleCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketNotificationConfigurationCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketPolicyCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { Client } from 'minio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expiresAt } from '../../infra/embedded/s3/operations/lifecycle.ts';
import { awsClient, minioClient, newBucket, rawRequest, startOwn } from './fixture.ts';
import { presigned, signedHeaders } from './sign.ts';

/** Buckets and their settings, deletion by age, the list of origins: our own server with a clock of its own. */

const DAY_MS = 24 * 3600_000;
let clock = Date.now();
let server: Awaited<ReturnType<typeof startOwn>>;
let minio: Client;
let aws: S3Client;
let Bucket: string;

beforeAll(async () => {
  server = await startOwn({
    now: () => clock,
    allowedOrigins: ['https://app.example'],
    events: {
      url: 'mqtt://127.0.0.1:1',
      username: 'objects',
      password: 'none',
      topic: 'aima/media/uploaded',
    },
  });
  minio = minioClient(server);
  aws = awsClient(server);
  Bucket = await newBucket(minio);
});
afterAll(() => server.close());

describe('buckets', () => {
  it('are made once, with proper names, and removed when empty', async () => {
    await expect(minio.makeBucket(Bucket)).rejects.toMatchObject({ code: 'BucketAlreadyOwnedByYou' });
    for (const name of ['minio', 'AB', 'a..b', '1.2.3.4']) {
      const { headers, target } = signedHeaders(server, {
        method: 'PUT',
        path: `/${name}`,
        host: `127.0.0.1:${server.port}`,
      });
      expect(await rawRequest(server, 'PUT', target, headers)).toMatchObject({
        status: 400,
        code: 'InvalidBucketName',
      });
    }
    const bucket = await newBucket(minio);
    await minio.putObject(bucket, 'x', 'x');
    await expect(minio.removeBucket(bucket)).rejects.toMatchObject({ code: 'BucketNotEmpty' });
    await minio.removeObject(bucket, 'x');
    await minio.removeBucket(bucket);
    expect(await minio.bucketExists(bucket)).toBe(false);
  });

  it('say plainly what they cannot do', async () => {
    const rule = { AllowedOrigins: ['*'], AllowedMethods: ['GET'] };
    const cors = new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [rule] } });
    await expect(aws.send(cors)).rejects.toMatchObject({ name: 'NotImplemented' });
    const policy = new PutBucketPolicyCommand({ Bucket, Policy: '{}' });
    await expect(aws.send(policy)).rejects.toMatchObject({ name: 'NotImplemented' });
    const secret = minio.putObject(Bucket, 'encrypted', 'x', 1, { 'X-Amz-Server-Side-Encryption': 'AES256' });
    await expect(secret).rejects.toMatchObject({ code: 'NotImplemented' });
  });
});

describe('notifications', () => {
  const queue = (QueueArn: string, Events: string[] = ['s3:ObjectCreated:*']) =>
    new PutBucketNotificationConfigurationCommand({
      Bucket,
      NotificationConfiguration: {
        QueueConfigurations: [
          {
            Id: 'one',
            QueueArn,
            Events: Events as never,
            Filter: { Key: { FilterRules: [{ Name: 'prefix', Value: 'inbox/' }] } },
          },
        ],
      },
    });

  it('are kept and given back', async () => {
    for (const arn of ['arn:minio:sqs::AIMA:mqtt', 'arn:minio:sqs:us-east-1:AIMA:mqtt']) {
      await aws.send(queue(arn));
      const { QueueConfigurations } = await aws.send(
        new GetBucketNotificationConfigurationCommand({ Bucket }),
      );
      expect(QueueConfigurations).toMatchObject([
        { Id: 'one', QueueArn: arn, Events: ['s3:ObjectCreated:*'] },
      ]);
      expect(QueueConfigurations?.[0]?.Filter?.Key?.FilterRules).toEqual([
        { Name: 'prefix', Value: 'inbox/' },
      ]);
    }
  });

  it('are refused for targets and events that do not exist', async () => {
    await expect(aws.send(queue('arn:minio:sqs::OTHER:mqtt'))).rejects.toMatchObject({
      name: 'InvalidArgument',
    });
    await expect(
      aws.send(queue('arn:minio:sqs::AIMA:mqtt', ['s3:ObjectRestore:Post'])),
    ).rejects.toMatchObject({
      name: 'InvalidArgument',
    });
  });
});

describe('deletion by age', () => {
  const put = (Rules: object[]) =>
    aws.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket,
        LifecycleConfiguration: { Rules: Rules as never },
      }),
    );
  const rule = { ID: 'x', Status: 'Enabled', Filter: { Prefix: 'tmp/' }, Expiration: { Days: 2 } };

  it('counts whole days and ends at midnight UTC', () => {
    const noon = Date.UTC(2026, 0, 10, 12);
    expect(expiresAt(noon, 1)).toBe(Date.UTC(2026, 0, 12));
    expect(expiresAt(noon, 30)).toBe(Date.UTC(2026, 1, 10));
  });

  it('removes what is old enough under the prefix, and nothing else', async () => {
    await put([rule]);
    const { Rules } = await aws.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    expect(Rules).toMatchObject([rule]);
    await minio.putObject(Bucket, 'tmp/old', 'x');
    await minio.putObject(Bucket, 'kept/old', 'x');
    clock += 2 * DAY_MS;
    await server.sweep();
    const at = minioClient(server);
    const url = (key: string): string =>
      presigned(
        server,
        { method: 'HEAD', path: `/${Bucket}/${key}`, host: `127.0.0.1:${server.port}`, at: clock },
        60,
      );
    const status = async (key: string): Promise<number> =>
      (await rawRequest(server, 'HEAD', url(key))).status;
    expect(await status('tmp/old')).toBe(200);
    clock += DAY_MS;
    await server.sweep();
    expect(await status('tmp/old')).toBe(404);
    expect(await status('kept/old')).toBe(200);
    clock = Date.now();
    await aws.send(new DeleteBucketLifecycleCommand({ Bucket }));
    await expect(at.getBucketLifecycle(Bucket)).rejects.toMatchObject({
      code: 'NoSuchLifecycleConfiguration',
    });
  });

  it('refuses conditions that it does not know, for they would be ignored', async () => {
    await expect(put([{ ...rule, Filter: { Tag: { Key: 'a', Value: 'b' } } }])).rejects.toMatchObject({
      name: 'MalformedXML',
    });
    await expect(
      put([{ ...rule, Transitions: [{ Days: 1, StorageClass: 'GLACIER' }] }]),
    ).rejects.toMatchObject({
      name: 'MalformedXML',
    });
    await expect(put([{ ...rule, Expiration: { Days: 0 } }])).rejects.toMatchObject({ name: 'MalformedXML' });
  });

  it('ends uploads that nobody went on with for a day', async () => {
    const begin = async (Key: string) => {
      const { UploadId } = await aws.send(new CreateMultipartUploadCommand({ Bucket, Key }));
      return { Bucket, Key, UploadId: UploadId! };
    };
    const [idle, busy] = [await begin('idle'), await begin('busy')];
    clock += 0.6 * DAY_MS;
    const query = { uploadId: busy.UploadId, partNumber: '1' };
    const request = {
      method: 'PUT',
      path: `/${Bucket}/busy`,
      host: `127.0.0.1:${server.port}`,
      query,
      at: clock,
    };
    expect((await rawRequest(server, 'PUT', presigned(server, request, 60), {}, 'x')).status).toBe(200);
    clock += 0.6 * DAY_MS;
    await server.sweep();
    clock = Date.now();
    await expect(
      aws.send(new UploadPartCommand({ ...idle, PartNumber: 1, Body: 'x' })),
    ).rejects.toMatchObject({
      name: 'NoSuchUpload',
    });
    await aws.send(new AbortMultipartUploadCommand(busy));
  });
});

describe('origins', () => {
  it('are allowed from the list only', async () => {
    const preflight = (origin: string) =>
      rawRequest(server, 'OPTIONS', `/${Bucket}/x`, { origin, 'access-control-request-method': 'PUT' });
    expect((await preflight('https://app.example')).headers['access-control-allow-origin']).toBe(
      'https://app.example',
    );
    const evil = await preflight('https://evil.example');
    expect(evil.status).toBe(403);
    expect(evil.headers['access-control-allow-origin']).toBeUndefined();
  });
});
