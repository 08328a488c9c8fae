/** The bridge as a program, with the embedded broker: who may call it, what it publishes, when it says so. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IntakeEvent } from '../../functions/core/submit/events.ts';
import {
  closeClients,
  collect,
  connectAs,
  type RunningBroker,
  removeDir,
  startEmbedded,
  temporaryDir,
} from '../broker/brokers.ts';

const PROGRAM = join(import.meta.dirname, '../../infra/objects/bridge/main.ts');
const TOKEN = 'token-of-the-bridge';

let dir: string;
let broker: RunningBroker;
let child: ChildProcess | null;
let url: string;

beforeEach(async () => {
  dir = await temporaryDir();
  broker = await startEmbedded(dir);
  await mkdir(join(dir, 'secrets'), { mode: 0o700 });
  await writeFile(join(dir, 'secrets', 'mqtt-objects-password'), 'objects-secret\n');
  await writeFile(join(dir, 'secrets', 'bridge-token'), `${TOKEN}\n`);
  child = fork(PROGRAM, {
    env: {
      PATH: process.env.PATH,
      AIMA_BRIDGE: 'webhook',
      AIMA_BRIDGE_PORT: '0',
      AIMA_MQTT_URL: broker.url,
      AIMA_SECRETS_DIR: join(dir, 'secrets'),
    },
    silent: true,
  });
  const [ready] = await once(child, 'message');
  url = `http://127.0.0.1:${(ready as { port: number }).port}/`;
});
afterEach(async () => {
  child?.kill('SIGKILL');
  await closeClients();
  await broker.stop();
  await removeDir(dir);
});

const event = (key: string, extra: object = {}) => ({
  EventName: 's3:ObjectCreated:Put',
  Key: `media/${key}`,
  Records: [
    {
      eventName: 's3:ObjectCreated:Put',
      s3: { bucket: { name: 'media' }, object: { key: encodeURIComponent(key), size: 3, eTag: 'e' } },
      ...extra,
    },
  ],
});

async function post(body: unknown, headers: Record<string, string> = { authorization: `Bearer ${TOKEN}` }) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return (await fetch(url, { method: 'POST', headers, body: text })).status;
}

/** 204 as soon as the bridge has its connection. */
async function accepted(body: unknown): Promise<void> {
  while ((await post(body)) !== 204) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function hear() {
  const client = await connectAs(broker.url, 'connector', 'connector-secret');
  const heard = collect(client);
  await client.subscribeAsync('aima/media/uploaded', { qos: 1 });
  return heard;
}

describe('the webhook', () => {
  it('publishes what submit-job reads', async () => {
    const heard = await hear();
    await accepted(event('inbox/a b+ü.wav'));
    await heard.count(1);
    const said = JSON.parse(heard.messages[0]!.body);
    expect(IntakeEvent.safeParse(said).success).toBe(true);
    expect(said).toMatchObject({
      EventName: 's3:ObjectCreated:Put',
      Key: 'media/inbox/a b+ü.wav',
      Records: [{ s3: { object: { key: 'inbox%2Fa+b%2B%C3%BC.wav', size: 3, eTag: 'e' } } }],
    });
  });

  it('is for whoever has the token, as AWS, MinIO or an address with a password shows it', async () => {
    const heard = await hear();
    await accepted(event('inbox/first'));
    expect(await post(event('inbox/evil'), {})).toBe(401);
    expect(await post(event('inbox/evil'), { authorization: 'Bearer wrong' })).toBe(401);
    expect(await post(event('inbox/evil'), { authorization: TOKEN })).toBe(401);
    const basic = Buffer.from(`store:${TOKEN}`).toString('base64');
    expect(await post(event('inbox/second'), { authorization: `Basic ${basic}` })).toBe(204);
    await heard.count(2);
    expect(heard.messages.map(({ body }) => JSON.parse(body).Key)).toEqual([
      'media/inbox/first',
      'media/inbox/second',
    ]);
  });

  it('passes over what concerns nobody, and never asks for it again', async () => {
    const heard = await hear();
    await accepted(event('inbox/first'));
    const others: unknown[] = [
      event('results/x/scene.webp'),
      event('inbox/gone', { eventName: 's3:ObjectRemoved:Delete' }),
      event('inbox/x', { s3: { bucket: { name: 'other' }, object: { key: 'inbox/x' } } }),
      event('inbox/x', { s3: { bucket: { name: 'media' }, object: { key: 'inbox/%E0%A4%A' } } }),
      { Event: 's3:TestEvent', Service: 'Amazon S3', Bucket: 'media' },
      { Records: [] },
      'not JSON',
    ];
    for (const body of others) expect(await post(body)).toBe(204);
    expect(await post(event('inbox/last', { eventName: 'ObjectCreated:Put' }))).toBe(204);
    await heard.count(2);
    expect(JSON.parse(heard.messages[1]!.body)).toMatchObject({
      EventName: 's3:ObjectCreated:Put',
      Key: 'media/inbox/last',
    });
  });

  it('takes no body that the broker would not take', async () => {
    expect(await post('x'.repeat(201 * 1024)).catch(() => 413)).toBe(413);
  });

  it('says no while the broker is away, and yes when it is back', async () => {
    await accepted(event('inbox/before'));
    const port = Number(new URL(broker.url).port);
    await broker.stop();
    while ((await post(event('inbox/away'))) !== 503) await new Promise((resolve) => setTimeout(resolve, 20));
    broker = await startEmbedded(dir, port);
    const heard = await hear();
    await accepted(event('inbox/back'));
    await heard.count(1);
    expect(heard.messages.map(({ body }) => JSON.parse(body).Key)).toContain('media/inbox/back');
  });

  it('ends on SIGTERM', async () => {
    const gone = once(child!, 'exit');
    child!.kill('SIGTERM');
    expect(await gone).toEqual([0, null]);
  });
});
