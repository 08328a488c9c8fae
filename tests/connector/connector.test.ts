import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { deadLetterDir } from '../../infra/connector/connector.ts';
import { listParked } from '../../infra/connector/parked.ts';
import { connectAs, startEmbedded } from '../broker/brokers.ts';
import { Stand, startGateway } from './stand.ts';

describe('connector', () => {
  let stand: Stand;
  afterEach(() => stand.close());

  const bodiesFor = (functionName: string) =>
    stand.gateway.invocations.filter((call) => call.functionName === functionName).map((call) => call.body);

  it('invokes every function whose filters match, with body and headers', async () => {
    stand = await Stand.open({
      exact: { topic: 'aima/jobs/queued' },
      one: { topic: 'aima/elsewhere, aima/leases/+/ready' },
      rest: { topic: 'aima/leases/#' },
      silent: { other: 'annotation' },
    });
    await stand.startConnector();
    await stand.publish('aima/jobs/queued', '{"a":1}');
    await stand.publish('aima/leases/X/ready', '{"b":2}');
    await stand.publish('aima/leases/X/y/ready', '{"c":3}');
    await stand.gateway.invocation('rest', 1);
    const one = await stand.gateway.invocation('one', 0);
    const exact = await stand.gateway.invocation('exact', 0);
    expect(exact.headers).toMatchObject({
      'content-type': 'application/json',
      'x-connector': 'mqtt-connector',
      'x-topic': 'aima/jobs/queued',
      'x-event-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    // One id in the log of the connector, of the gateway and of the function.
    expect(exact.headers['x-call-id']).toBe(exact.headers['x-event-id']);
    expect([exact.body, one.body]).toEqual(['{"a":1}', '{"b":2}']);
    expect(bodiesFor('rest').toSorted()).toEqual(['{"b":2}', '{"c":3}']);
    expect(stand.gateway.invocations).toHaveLength(4);
  });

  it('passes on bodies that are no text and topics that are no header', async () => {
    stand = await Stand.open({ f: { topic: 'aima/#' } });
    await stand.startConnector();
    const client = await connectAs(stand.broker.url, 'functions', 'functions-secret');
    await client.publishAsync('aima/ä b\n', Buffer.from([0xff, 0x00]), { qos: 1 });
    await client.publishAsync('aima/empty', '', { qos: 0 });
    await stand.gateway.invocation('f', 1);
    expect(stand.gateway.invocations.map((call) => call.headers['x-topic'])).toEqual([
      'aima/%C3%A4%20b%0A',
      'aima/empty',
    ]);
    expect(stand.gateway.invocations.map((call) => call.headers['content-length'])).toEqual(['2', '0']);
  });

  it('tries again until the function accepts, and asks no other function twice', async () => {
    stand = await Stand.open({ shaky: { topic: 'aima/x' }, steady: { topic: 'aima/x' } });
    const statuses = [500, 503, 429, 404, 200];
    stand.gateway.respond = ({ functionName }) => (functionName === 'shaky' ? statuses.shift() : 200);
    await stand.startConnector();
    await stand.publish('aima/x', 'once');
    const last = await stand.gateway.invocation('shaky', 4);
    const first = await stand.gateway.invocation('shaky', 0);
    expect(last.headers['x-event-id']).toBe(first.headers['x-event-id']);
    await stand.publish('aima/x', 'marker');
    stand.gateway.respond = () => 200;
    await stand.gateway.invocation('steady', 1);
    expect(bodiesFor('steady')).toEqual(['once', 'marker']);
  });

  it('waits for Retry-After', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    stand.gateway.respond = () => undefined;
    await stand.startConnector();
    await stand.publish('aima/x', 'busy');
    (await stand.gateway.invocation('f', 0)).answer(503, { 'Retry-After': '1' });
    const answeredAtMs = performance.now();
    await stand.gateway.invocation('f', 1);
    expect(performance.now() - answeredAtMs).toBeGreaterThanOrEqual(990);
  });

  it('acknowledges only what was accepted: the rest comes again to the next connector', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    stand.gateway.respond = ({ body }) => (body === 'refused' ? 503 : 200);
    const first = await stand.startConnector();
    await stand.publish('aima/x', 'accepted', 'refused');
    await stand.gateway.invocation('f', 2);
    await stand.stopConnector(first);
    stand.gateway.invocations.length = 0;
    stand.gateway.respond = () => 200;
    await stand.publish('aima/x', 'marker');
    await stand.startConnector();
    await stand.gateway.invocation('f', 1);
    expect(bodiesFor('f').toSorted()).toEqual(['marker', 'refused']);
  });

  it('does not invoke twice what it is still working on when the connection breaks', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    stand.gateway.respond = ({ body }) => (body === 'slow' ? undefined : 200);
    const connector = await stand.startConnector();
    await stand.publish('aima/x', 'slow');
    const slow = await stand.gateway.invocation('f', 0);
    // A second connection with the same client id pushes the connector out; it comes back by itself.
    const intruder = await connectAs(stand.broker.url, 'connector', 'connector-secret', {
      clientId: 'aima-connector-f',
      clean: false,
    });
    await intruder.endAsync(true);
    await stand.publish('aima/x', 'marker');
    await stand.gateway.invocation('f', 1);
    slow.answer(200);
    await stand.publish('aima/x', 'second marker');
    await stand.gateway.invocation('f', 2);
    expect(bodiesFor('f')).toEqual(['slow', 'marker', 'second marker']);
    // The late acknowledgement reached the broker: nothing is left for the next connector.
    await stand.stopConnector(connector);
    await stand.startConnector();
    await stand.publish('aima/x', 'last');
    await stand.gateway.invocation('f', 3);
    expect(bodiesFor('f')).toEqual(['slow', 'marker', 'second marker', 'last']);
  });

  it('parks what is refused and what keeps failing, and goes on with the rest', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    stand.gateway.respond = ({ body }) => (body === 'bad' ? 422 : body === 'broken' ? 500 : 200);
    await stand.startConnector({
      retryPolicy: { firstDelayMs: 1, maxDelayMs: 5, maxUnreachableDelayMs: 5, giveUpAfterMs: 20 },
    });
    await stand.publish('aima/x', 'bad', 'broken', 'good');
    const dir = deadLetterDir(stand.dataDir);
    while ((await listParked(dir)).length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const parked = (await listParked(dir)).map(({ event }) => event);
    expect(parked.map((event) => [event.reason, atob(event.bodyBase64)]).toSorted()).toEqual([
      ['status 422', 'bad'],
      ['status 500', 'broken'],
    ]);
    expect(parked.find((event) => event.reason === 'status 422')?.tries).toBe(1);
    expect(bodiesFor('f').filter((body) => body === 'good')).toHaveLength(1);
  });

  it('a slow function holds up neither others nor their topic', async () => {
    stand = await Stand.open({
      slow: { topic: 'aima/#', concurrency: '2' },
      fast: { topic: 'aima/#' },
    });
    stand.gateway.respond = ({ functionName }) => (functionName === 'slow' ? undefined : 200);
    await stand.startConnector();
    const bodies = Array.from({ length: 50 }, (_, index) => String(index));
    await stand.publish('aima/x', ...bodies);
    await stand.gateway.invocation('fast', 49);
    expect(bodiesFor('fast').toSorted()).toEqual(bodies.toSorted());
    expect(bodiesFor('slow').toSorted()).toEqual(['0', '1']);
    (await stand.gateway.invocation('slow', 0)).answer(200);
    await stand.gateway.invocation('slow', 2);
    expect(bodiesFor('slow').toSorted()).toEqual(['0', '1', '2']);
  });

  it('merges waiting events of one topic for a function that says so', async () => {
    stand = await Stand.open({
      bell: { topic: 'aima/#', coalesce: 'true' },
      other: { topic: 'aima/jobs/+' },
    });
    stand.gateway.respond = ({ functionName, body }) =>
      functionName === 'bell' && body === 'first' ? undefined : 200;
    const connector = await stand.startConnector();
    await stand.publish('aima/jobs/queued', 'first');
    const first = await stand.gateway.invocation('bell', 0);
    await stand.publish('aima/jobs/queued', ...Array.from({ length: 300 }, (_, index) => `job ${index}`));
    await stand.publish('aima/jobs/settled', 'settled');
    await stand.gateway.invocation('other', 301);
    first.answer(200);
    while (!bodiesFor('bell').includes('settled')) {
      await stand.gateway.invocation('bell', bodiesFor('bell').length);
    }
    const answered = bodiesFor('bell');
    expect(answered.length).toBeLessThan(30);
    expect(answered.filter((body) => body.startsWith('job')).at(-1)).toBe('job 299');
    // All of them were acknowledged: nothing but the marker is left for the next connector.
    await stand.stopConnector(connector);
    await stand.startConnector();
    await stand.publish('aima/marker', 'marker');
    await stand.gateway.invocation('bell', answered.length);
    expect(bodiesFor('bell')).toEqual([...answered, 'marker']);
  });

  it('subscribes again after the broker was restarted with empty memory', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    await stand.startConnector();
    const port = Number(new URL(stand.broker.url).port);
    await stand.broker.stop();
    stand.broker = await startEmbedded(stand.dir, port);
    // Until the connector is back the event is lost, which a new broker cannot know: ring until it hears.
    const heard = stand.gateway.invocation('f', 0);
    const ring = setInterval(() => stand.publish('aima/x', 'ring').catch(() => undefined), 50);
    await heard;
    clearInterval(ring);
  });

  it('starts without the gateway and without the broker, and finds both', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x', schedule: '0 0 1 1 *' } });
    const gatewayPort = stand.gateway.port;
    const brokerPort = Number(new URL(stand.broker.url).port);
    await stand.gateway.stop();
    await stand.broker.stop();
    const started = stand.startConnector();
    stand.gateway = await startGateway(stand.gateway.functions, gatewayPort);
    stand.broker = await startEmbedded(stand.dir, brokerPort);
    await started;
    await stand.publish('aima/x', 'hello');
    while (!bodiesFor('f').includes('hello')) await stand.gateway.invocation('f', bodiesFor('f').length);
  });

  it('keeps events while the gateway is away', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    await stand.startConnector();
    const { port, functions } = stand.gateway;
    await stand.gateway.stop();
    await stand.publish('aima/x', 'one', 'two');
    stand.gateway = await startGateway(functions, port);
    await stand.gateway.invocation('f', 1);
    expect(bodiesFor('f').toSorted()).toEqual(['one', 'two']);
  });

  it('invokes by the clock and at start, never beside itself', async () => {
    stand = await Stand.open({ clock: { topic: 'cron-function', schedule: '* * * * * *' } });
    stand.gateway.respond = () => undefined;
    await stand.startConnector();
    const first = await stand.gateway.invocation('clock', 0);
    expect(first.headers).toMatchObject({ 'x-connector': 'cron-connector', 'x-topic': 'cron-function' });
    expect(first.body).toBe('{}');
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect(stand.gateway.invocations).toHaveLength(1);
    stand.gateway.respond = () => 200;
    first.answer(200);
    await stand.gateway.invocation('clock', 2);
  });

  it('follows changed annotations', async () => {
    stand = await Stand.open({ f: { topic: 'aima/old,aima/both,aima/#/malformed' } });
    await stand.startConnector();
    stand.gateway.functions.f = { topic: 'aima/new,aima/both' };
    stand.gateway.functions.late = { topic: 'aima/both' };
    const ring = setInterval(() => stand.publish('aima/new', 'new').catch(() => undefined), 50);
    await stand.gateway.invocation('f', 0);
    clearInterval(ring);
    await stand.publish('aima/old', 'old');
    await stand.publish('aima/both', 'both');
    while (!bodiesFor('f').includes('both')) await stand.gateway.invocation('f', bodiesFor('f').length);
    expect(bodiesFor('f')).not.toContain('old');
  });

  it('ends the session of a function that is gone for long, not of one that is just being replaced', async () => {
    stand = await Stand.open({ gone: { topic: 'aima/x' }, replaced: { topic: 'aima/x' } });
    const { gone, replaced } = stand.gateway.functions;
    const patient = await stand.startConnector();
    stand.gateway.functions = { stays: { topic: 'aima/y' } };
    await stand.stopConnector(patient);
    const listings = stand.gateway.listings;
    const stillPatient = await stand.startConnector();
    while (stand.gateway.listings < listings + 3) await new Promise((resolve) => setTimeout(resolve, 10));
    await stand.publish('aima/x', 'kept');
    await stand.gateway.invocation('replaced', 0);
    await stand.gateway.invocation('gone', 0);
    await stand.stopConnector(stillPatient);

    stand.gateway.functions = { replaced: replaced ?? {} };
    const forgetful = await stand.startConnector({ forgetAfterMs: 100 });
    while (!stand.log.some((line) => line.startsWith('gone is gone'))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await stand.stopConnector(forgetful);
    await stand.publish('aima/x', 'lost on gone');
    stand.gateway.functions = { gone: gone ?? {}, replaced: replaced ?? {} };
    await stand.startConnector();
    await stand.publish('aima/x', 'marker');
    await stand.gateway.invocation('gone', 1);
    await stand.gateway.invocation('replaced', 2);
    expect(bodiesFor('gone')).toEqual(['kept', 'marker']);
    expect(bodiesFor('replaced').toSorted()).toEqual(['kept', 'lost on gone', 'marker']);
  });

  it('says what is wrong with annotations and topics and serves the other functions', async () => {
    stand = await Stand.open({
      bad: { topic: 'aima/x', schedule: 'whenever' },
      forbidden: { topic: '$SYS/#' },
      malformed: { topic: 'aima/#/x' },
      good: { topic: 'aima/x' },
    });
    await stand.startConnector();
    await stand.publish('aima/x', 'hello');
    await stand.gateway.invocation('good', 0);
    expect(stand.log.filter((line) => line.includes('annotation "schedule" of bad'))).toHaveLength(1);
    expect(stand.log.some((line) => line.includes('cannot subscribe to "$SYS/#"'))).toBe(true);
    expect(stand.log.some((line) => line.includes('cannot subscribe to "aima/#/x"'))).toBe(true);
    expect(stand.gateway.invocations).toHaveLength(1);
  });

  it('takes up the sessions of an earlier run before the gateway answers', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    await stand.stopConnector(await stand.startConnector());
    const { port, functions } = stand.gateway;
    await stand.gateway.stop();
    await stand.publish('aima/x', 'while down');
    const started = stand.startConnector();
    stand.gateway = await startGateway(functions, port);
    await started;
    await stand.gateway.invocation('f', 0);
    expect(bodiesFor('f')).toEqual(['while down']);
  });

  it('starts with a damaged list of sessions', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' } });
    await stand.stopConnector(await stand.startConnector());
    await writeFile(join(stand.dataDir, 'functions.json'), '[{"name":');
    await stand.startConnector();
    await stand.publish('aima/x', 'hello');
    await stand.gateway.invocation('f', 0);
  });
});
