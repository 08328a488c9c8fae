import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { CopyObjectCommand, PutObjectTaggingCommand } from '@aws-sdk/client-s3';
import { Aedes } from 'aedes';
import type { Client } from 'minio';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startProcess } from './child.ts';
import { awsClient, minioClient, startOwn, temporaryFolder } from './fixture.ts';
import { postFields } from './sign.ts';

/** Bucket events over a real MQTT broker. */

const TOPIC = 'aima/media/uploaded';
const ARN = 'arn:minio:sqs::AIMA:mqtt';

const message = z.strictObject({
  EventName: z.string(),
  Key: z.string(),
  Records: z.tuple([
    z.looseObject({
      eventVersion: z.literal('2.0'),
      eventSource: z.literal('minio:s3'),
      awsRegion: z.literal('us-east-1'),
      eventTime: z.iso.datetime(),
      eventName: z.string(),
      userIdentity: z.strictObject({ principalId: z.string() }),
      s3: z.strictObject({
        s3SchemaVersion: z.literal('1.0'),
        configurationId: z.literal('Config'),
        bucket: z.strictObject({ name: z.string(), ownerIdentity: z.object(), arn: z.string() }),
        object: z.strictObject({
          key: z.string(),
          size: z.number().min(1).optional(),
          eTag: z.string().optional(),
          contentType: z.string().optional(),
          userMetadata: z.record(z.string(), z.string()).optional(),
          sequencer: z.string().regex(/^[0-9A-F]{16}$/),
        }),
      }),
    }),
  ]),
});
type Message = z.infer<typeof message>;

/** A broker that knows one user, `objects`, who may publish one topic. */
class TestBroker {
  readonly received: Message[] = [];
  port = 0;
  #broker: Aedes | null = null;
  #server: Server | null = null;
  readonly #sockets = new Set<Socket>();
  #arrived = new EventTarget();

  async start(): Promise<void> {
    const broker = await Aedes.createBroker();
    broker.authenticate = (_client, username, _password, done) => done(null, username === 'objects');
    broker.authorizePublish = (_client, packet, done) =>
      done(packet.topic === TOPIC && packet.qos === 1 && !packet.retain ? null : new Error('not allowed'));
    broker.on('publish', (packet, client) => {
      if (!client) return;
      this.received.push(message.parse(JSON.parse(packet.payload.toString())));
      this.#arrived.dispatchEvent(new Event('message'));
    });
    const server = createServer((socket) => {
      this.#sockets.add(socket);
      broker.handle(socket);
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as { port: number }).port;
    this.#broker = broker;
    this.#server = server;
  }

  async stop(): Promise<void> {
    const [broker, server] = [this.#broker, this.#server];
    this.#broker = null;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy(); // one that is still connecting would hold it up
    this.#sockets.clear();
    await new Promise<void>((resolve) => (broker ? broker.close(() => resolve()) : resolve()));
    await new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()));
  }

  /** The messages, as soon as there are so many. */
  async atLeast(count: number): Promise<Message[]> {
    while (this.received.length < count) await once(this.#arrived, 'message');
    return this.received;
  }
}

let broker: TestBroker;
let server: Awaited<ReturnType<typeof startOwn>>;
let minio: Client;

async function configure(
  client: Client,
  bucket: string,
  prefix = '',
  events = ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'],
) {
  await client.makeBucket(bucket);
  await client.setBucketNotification(bucket, {
    QueueConfiguration: [
      { Queue: ARN, Event: events, Filter: { S3Key: { FilterRule: [{ Name: 'prefix', Value: prefix }] } } },
    ],
  } as never);
}

beforeEach(async () => {
  broker = new TestBroker();
  await broker.start();
  const url = `mqtt://127.0.0.1:${broker.port}`;
  server = await startOwn({ events: { url, username: 'objects', password: 'secret', topic: TOPIC } });
  minio = minioClient(server);
});
afterEach(async () => {
  await server.close();
  await broker.stop();
});

describe('bucket events', () => {
  it('tell of every kind of change in the shape MinIO has', async () => {
    await configure(minio, 'media');
    const aws = awsClient(server);
    await minio.putObject('media', 'in box/ä+1.mp4', 'abc', 3, {
      'Content-Type': 'video/mp4',
      'X-Amz-Meta-Job-Id': 'j1',
    });
    const created = (await broker.atLeast(1))[0]!;
    const etag = '900150983cd24fb0d6963f7d28e17f72';
    expect(created).toMatchObject({ EventName: 's3:ObjectCreated:Put', Key: 'media/in box/ä+1.mp4' });
    expect(created.Records[0].eventName).toBe('s3:ObjectCreated:Put');
    expect(created.Records[0].userIdentity.principalId).toBe(server.accessKey);
    expect(created.Records[0].s3.bucket).toMatchObject({ name: 'media', arn: 'arn:aws:s3:::media' });
    expect(created.Records[0].s3.object).toMatchObject({
      key: 'in+box%2F%C3%A4%2B1.mp4',
      size: 3,
      eTag: etag,
      contentType: 'video/mp4',
      userMetadata: { 'content-type': 'video/mp4', 'X-Amz-Meta-Job-Id': 'j1' },
    });

    await aws.send(
      new CopyObjectCommand({ Bucket: 'media', Key: 'copy', CopySource: 'media/in%20box/%C3%A4%2B1.mp4' }),
    );
    const fields = { key: 'form', ...postFields(server, [{ bucket: 'media' }, { key: 'form' }]) };
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    form.append('file', new Blob(['x']));
    expect((await fetch(`${server.url}/media`, { method: 'POST', body: form })).status).toBe(204);
    const uploadId = await minio.initiateNewMultipartUpload('media', 'parts', {});
    const address = await minio.presignedUrl('PUT', 'media', 'parts', 60, { uploadId, partNumber: '1' });
    const part = (await fetch(address, { method: 'PUT', body: 'x' })).headers
      .get('etag')!
      .replaceAll('"', '');
    await minio.completeMultipartUpload('media', 'parts', uploadId, [{ part: 1, etag: part }]);
    const Tagging = { TagSet: [{ Key: 'a', Value: 'b' }] };
    await aws.send(new PutObjectTaggingCommand({ Bucket: 'media', Key: 'copy', Tagging }));
    await minio.removeObject('media', 'copy');
    await minio.removeObject('media', 'never there');
    await minio.putObject('media', 'empty', '');

    const all = await broker.atLeast(7);
    expect(all.map(({ EventName, Key }) => `${EventName} ${Key}`)).toEqual([
      's3:ObjectCreated:Put media/in box/ä+1.mp4',
      's3:ObjectCreated:Copy media/copy',
      's3:ObjectCreated:Post media/form',
      's3:ObjectCreated:CompleteMultipartUpload media/parts',
      's3:ObjectCreated:PutTagging media/copy',
      's3:ObjectRemoved:Delete media/copy',
      's3:ObjectCreated:Put media/empty',
    ]);
    const removed = all[5]!.Records[0].s3.object;
    expect(Object.keys(removed).sort()).toEqual(['key', 'sequencer']);
    const empty = all[6]!.Records[0].s3.object;
    expect(empty.size).toBeUndefined();
    expect(empty.eTag).toBe('d41d8cd98f00b204e9800998ecf8427e');
  });

  it('come only for what the bucket asks for', async () => {
    await configure(minio, 'media', 'inbox/', ['s3:ObjectCreated:Put']);
    await minio.makeBucket('silent');
    await minio.putObject('media', 'other/x', 'x');
    await minio.putObject('silent', 'inbox/x', 'x');
    await minio.putObject('media', 'inbox/first', 'x');
    await minio.removeObject('media', 'inbox/first');
    await minio.putObject('media', 'inbox/last', 'x');
    const all = await broker.atLeast(2);
    expect(all.map((entry) => entry.Key)).toEqual(['media/inbox/first', 'media/inbox/last']);
  });

  it('wait while the broker is away and hold up no upload', async () => {
    await configure(minio, 'media');
    await minio.putObject('media', 'before', 'x');
    await broker.atLeast(1);
    await broker.stop();
    for (let index = 0; index < 50; index += 1) await minio.putObject('media', `away/${index}`, 'x');
    await broker.start();
    const keys = new Set((await broker.atLeast(51)).map((entry) => entry.Key));
    for (let index = 0; index < 50; index += 1) expect(keys).toContain(`media/away/${index}`);
  });
});

describe('events and crashes', () => {
  it('a killed server sends after its restart what it had not delivered', async () => {
    const { folder, remove } = await temporaryFolder();
    await broker.stop();
    const url = `mqtt://127.0.0.1:${broker.port}`;
    const first = await startProcess(folder, url);
    await configure(minioClient(first), 'media');
    for (let index = 0; index < 20; index += 1) await minioClient(first).putObject('media', `${index}`, 'x');
    await first.kill();
    await broker.start();
    const second = await startProcess(folder, url);
    const keys = new Set((await broker.atLeast(20)).map((entry) => entry.Key));
    expect(keys.size).toBe(20);
    await second.close();
    await remove();
  });
});
