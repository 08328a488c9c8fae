import { readFile, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeWorkerLogin, openWorkerLogin } from '../../functions/core/events/logins.ts';
import {
  closeClients,
  collect,
  connectAs,
  connectLater,
  type RunningBroker,
  removeDir,
  startEmbedded,
  temporaryDir,
} from './brokers.ts';

describe('embedded broker', () => {
  let dir: string;
  let broker: RunningBroker;
  const statePath = () => join(dir, 'broker', 'dynamic-security.json');
  const functions = () => connectAs(broker.url, 'functions', 'functions-secret');

  beforeEach(async () => {
    dir = await temporaryDir();
    broker = await startEmbedded(dir);
  });
  afterEach(async () => {
    await closeClients();
    await broker.stop();
    await removeDir(dir);
  });

  async function restart(): Promise<void> {
    await closeClients();
    await broker.stop();
    broker = await startEmbedded(dir);
  }

  it('keeps logins and deletions over a restart', async () => {
    await openWorkerLogin(await functions(), { instanceId: 'kept', password: 'p' });
    await openWorkerLogin(await functions(), { instanceId: 'gone', password: 'p' });
    await closeWorkerLogin(await functions(), 'gone');
    await restart();
    await connectAs(broker.url, 'worker-kept', 'p', { clientId: 'worker-kept' });
    await expect(connectAs(broker.url, 'worker-gone', 'p', { clientId: 'worker-gone' })).rejects.toThrow();
  });

  it('stores no password in clear and keeps the file to its owner', async () => {
    await openWorkerLogin(await functions(), { instanceId: 'w', password: 'very-secret-word' });
    const text = await readFile(statePath(), 'utf8');
    expect(text).toContain('worker-w');
    expect(text).not.toContain('very-secret-word');
    expect(text).not.toContain('functions-secret');
    expect((await stat(statePath())).mode & 0o077).toBe(0);
  });

  it('starts with the base logins when its file is damaged', async () => {
    await broker.stop();
    await writeFile(statePath(), '{"clients": [');
    broker = await startEmbedded(dir);
    await functions();
  });

  it('carries messages over WebSocket with the same rules', async () => {
    const wsUrl = broker.wsUrl ?? '';
    const connector = await connectAs(wsUrl, 'connector', 'connector-secret');
    const received = collect(connector);
    await connector.subscribeAsync('aima/#', { qos: 1 });
    await (await connectAs(wsUrl, 'functions', 'functions-secret')).publishAsync('aima/x', 'hello', {
      qos: 1,
    });
    await received.count(1);
    expect(received.messages).toEqual([{ topic: 'aima/x', body: 'hello' }]);
    await expect(connectAs(wsUrl, 'functions', 'wrong')).rejects.toThrow('Not authorized');
  });

  it('queues for a persistent session that is away, but nothing that it may not subscribe to', async () => {
    const session = { clientId: 'c1', clean: false };
    const before = await connectAs(broker.url, 'connector', 'connector-secret', session);
    await before.subscribeAsync(['aima/#', '$CONTROL/#'], { qos: 1 }).catch(() => undefined);
    await before.endAsync();
    await openWorkerLogin(await functions(), { instanceId: 'w', password: 'p' });
    await (await functions()).publishAsync('aima/x', 'while away', { qos: 1 });
    const after = connectLater(broker.url, 'connector', 'connector-secret', session);
    const received = collect(after);
    await received.count(1);
    await (await functions()).publishAsync('aima/end', '', { qos: 1 });
    await received.count(2);
    expect(received.messages.map((message) => message.topic)).toEqual(['aima/x', 'aima/end']);
  });

  it('ends a connection that announces a packet larger than the limit', async () => {
    const { port } = new URL(broker.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
    await ended;
    const client = await functions();
    const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
    client.publish('aima/x', Buffer.alloc(300 * 1024), { qos: 1 });
    await closed;
  });

  it('closes although a connection has not logged in yet', async () => {
    const { port } = new URL(broker.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
    // Answered after the connection above was accepted, for connections are accepted in order.
    await functions();
    await broker.stop();
    await ended;
    broker = await startEmbedded(dir);
  });

  it('passes bodies up to the limit in any split', async () => {
    const connector = await connectAs(broker.url, 'connector', 'connector-secret');
    const received = collect(connector);
    await connector.subscribeAsync('aima/#', { qos: 1 });
    const client = await functions();
    const bodies = [0, 1, 100, 127, 128, 16_383, 16_384, 200_000].map((length) => 'x'.repeat(length));
    for (const body of bodies) await client.publishAsync('aima/x', body, { qos: 1 });
    await received.count(bodies.length);
    expect(received.messages.map((message) => message.body.length)).toEqual(bodies.map((b) => b.length));
  });
});
