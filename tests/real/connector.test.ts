import { afterEach, describe, expect, it } from 'vitest';
import { connectAs, startMosquitto } from '../broker/brokers.ts';
import { Stand } from '../connector/stand.ts';
import { allHere } from './parts.ts';

/*
 * What the connector relies on where brokers differ: late acknowledgements, out of order, within Mosquitto's
 * window of 20 unacknowledged messages, and redelivery into a kept session.
 */

const here = allHere('The connector on Mosquitto', 'mosquitto');

describe.runIf(here)('connector on Mosquitto', () => {
  let stand: Stand;
  afterEach(() => stand.close());
  const bodiesFor = (functionName: string) =>
    stand.gateway.invocations.filter((call) => call.functionName === functionName).map((call) => call.body);
  async function heard(body: string): Promise<void> {
    while (!bodiesFor('f').includes(body)) await stand.gateway.invocation('f', bodiesFor('f').length);
  }

  it('acknowledges out of order and after a reconnect', async () => {
    stand = await Stand.open({ f: { topic: 'aima/#' } }, startMosquitto);
    stand.gateway.respond = ({ body }) => (body === 'slow' ? undefined : 200);
    const connector = await stand.startConnector();
    const bodies = Array.from({ length: 100 }, (_, index) => String(index));
    await stand.publish('aima/x', 'slow', ...bodies);
    const slow = await stand.gateway.invocation('f', 0);
    await heard('99');
    const intruder = await connectAs(stand.broker.url, 'connector', 'connector-secret', {
      clientId: 'aima-connector-f',
      clean: false,
    });
    await intruder.endAsync(true);
    await stand.publish('aima/x', 'marker');
    await heard('marker');
    slow.answer(200);
    await stand.publish('aima/x', 'after');
    await heard('after');
    await stand.stopConnector(connector);
    await stand.startConnector();
    await stand.publish('aima/x', 'last');
    await heard('last');
    // An acknowledgement that was on its way when the connection broke is lost and its event comes again, so
    // others may be there twice; the slow one was acknowledged on the new connection.
    expect(new Set(bodiesFor('f'))).toEqual(new Set(['slow', ...bodies, 'marker', 'after', 'last']));
    expect(bodiesFor('f').filter((body) => body === 'slow')).toHaveLength(1);
  });

  it('gets again what was not accepted', async () => {
    stand = await Stand.open({ f: { topic: 'aima/x' }, other: { topic: 'aima/x' } }, startMosquitto);
    stand.gateway.respond = ({ functionName }) => (functionName === 'f' ? 503 : 200);
    const first = await stand.startConnector();
    await stand.publish('aima/x', 'one', 'two');
    await stand.gateway.invocation('f', 2);
    await stand.stopConnector(first);
    stand.gateway.invocations.length = 0;
    stand.gateway.respond = () => 200;
    await stand.startConnector();
    await stand.publish('aima/x', 'marker');
    await stand.gateway.invocation('f', 2);
    await stand.gateway.invocation('other', 0);
    expect(bodiesFor('f').toSorted()).toEqual(['marker', 'one', 'two']);
    expect(bodiesFor('other')).toEqual(['marker']);
  });

  it('merges a pile of events larger than the window', async () => {
    stand = await Stand.open({ bell: { topic: 'aima/#', coalesce: 'true' } }, startMosquitto);
    await stand.startConnector();
    await stand.publish('aima/x', ...Array.from({ length: 300 }, (_, index) => `job ${index}`));
    while (!bodiesFor('bell').includes('job 299')) {
      await stand.gateway.invocation('bell', bodiesFor('bell').length);
    }
    expect(bodiesFor('bell').at(-1)).toBe('job 299');
  });
});
