import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import { openPublisher, type Publisher } from '../../functions/core/events/publisher.ts';
import { freePort } from '../../infra/embedded/ports.ts';
import { baseLogins, type RunningBroker, startEmbedded } from '../broker/brokers.ts';

let dir: string;
let port: number;
let publisher: Publisher;
let broker: RunningBroker | undefined;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'aima-publisher-'));
  port = await freePort();
  await writeFile(join(dir, 'mqtt-functions-password'), baseLogins[0]!.password);
  publisher = openPublisher(loadConfig({ AIMA_SECRETS_DIR: dir, AIMA_MQTT_URL: `mqtt://127.0.0.1:${port}` }));
});
afterEach(async () => {
  await publisher.close();
  await broker?.stop();
  await rm(dir, { recursive: true });
});

async function hear(topic: string): Promise<() => Promise<string>> {
  const ear = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    protocolVersion: 4,
    clientId: 'aima-connector-test',
    username: 'connector',
    password: baseLogins[1]!.password,
  });
  const heard = new Promise<string>((resolve) => ear.once('message', (_, body) => resolve(body.toString())));
  await ear.subscribeAsync(topic, { qos: 1 });
  return () => heard.finally(() => ear.endAsync());
}

it.each(['before', 'after'])('a bell rung %s the broker is there is heard', async (when) => {
  // A retained one, so that it does not matter when the listener comes.
  const job = { jobId: '2'.repeat(26), state: 'queued', progress: 0 };
  const ring = () => publisher.userJob('0'.repeat(26), job);
  if (when === 'before') ring();
  expect(await publisher.isConnected(10)).toBe(false);
  broker = await startEmbedded(dir, port);
  expect(await publisher.isConnected(10_000)).toBe(true);
  if (when === 'after') ring();
  const heard = await hear(`aima/users/${'0'.repeat(26)}/jobs/${job.jobId}`);
  expect(JSON.parse(await heard())).toMatchObject({ v: 1, ...job });
});

it('many that begin at once do not throw each other out', async () => {
  broker = await startEmbedded(dir, port);
  const config = loadConfig({ AIMA_SECRETS_DIR: dir, AIMA_MQTT_URL: `mqtt://127.0.0.1:${port}` });
  const many = Array.from({ length: 20 }, () => openPublisher(config));
  let thrownOut = 0;
  for (const { client } of many) client.on('close', () => thrownOut++);
  try {
    for (const one of many) expect(await one.isConnected(10_000)).toBe(true);
    // Each has spoken, and was answered, on the connection that it came with.
    await Promise.all(many.map(({ client }) => client.publishAsync('aima/jobs/settled', '{}', { qos: 1 })));
    expect(thrownOut).toBe(0);
  } finally {
    await Promise.all(many.map((one) => one.close()));
  }
});
