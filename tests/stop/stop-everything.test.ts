/** The big red button, from what providers list alone: simulated providers, no Postgres. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { labelOf } from '../../functions/core/instances/label.ts';
import { type StopOptions, stopEverything } from '../../functions/core/instances/stop-everything.ts';
import type { Provider } from '../../functions/core/providers/provider.ts';
import { runpodPods } from '../../functions/core/providers/runpod-pods.ts';
import { runpodServerless } from '../../functions/core/providers/runpod-serverless.ts';
import { parseHost } from '../../functions/core/providers/ssh/hosts.ts';
import { ssh } from '../../functions/core/providers/ssh.ts';
import { type ManualClock, manualClock } from '../providers/simulator/clock.ts';
import type { Market } from '../providers/simulator/market.ts';
import { startRunpodPods } from '../providers/simulator/runpod-pods.ts';
import { startRunpodServerless } from '../providers/simulator/runpod-serverless.ts';
import { accountKey } from '../providers/simulator/server.ts';
import { startSsh } from '../providers/simulator/ssh.ts';

const owner = 'tester';
const image = 'registry.example/aima/worker:1';

interface Stand {
  provider: Provider;
  market: Market;
  clock: ManualClock;
  /** A machine of somebody's, made without the adapter. */
  rent(label?: string): void;
}

function standOf(provider: Provider, market: Market, clock: ManualClock): Stand {
  const offerId = market.offers[0]!.id;
  return {
    provider,
    market,
    clock,
    rent: (label = labelOf(owner, newId())) =>
      void market.rent({ offerId, label, environment: {}, request: {} }, market.faults.take('create')),
  };
}

async function pods(): Promise<Stand> {
  const clock = manualClock();
  const simulator = await startRunpodPods({ clock });
  onTestFinished(() => simulator.close());
  const provider = runpodPods({
    url: simulator.url,
    apiKey: accountKey,
    image,
    diskGb: 40,
    clouds: ['SECURE'],
    minCuda: 12.4,
    timeoutMs: 500,
  });
  return standOf(provider, simulator.market, clock);
}

async function host(): Promise<Stand> {
  const clock = manualClock();
  const simulator = await startSsh({ clock, image });
  onTestFinished(() => simulator.close());
  const { privateKey, knownHosts } = simulator;
  const hosts = [parseHost(simulator.host)];
  const stand = standOf(ssh({ hosts, privateKey, knownHosts, image }), simulator.market, clock);
  // On a host, a container is what docker calls it.
  return {
    ...stand,
    rent(label) {
      stand.rent(label);
      const container = simulator.market.machines.at(-1)!;
      container.id = `${simulator.host}/${container.label}`;
    },
  };
}

const press = (stands: Stand[], options: Partial<StopOptions> = {}) =>
  stopEverything(
    stands.map(({ provider }) => provider),
    owner,
    { signal: AbortSignal.timeout(20_000), log: () => {}, waitsForLate: false, pauseMs: 10, ...options },
  );

const labelsAlive = ({ market }: Stand) => market.alive().map(({ label }) => label);

describe('stop everything', () => {
  it('ends all of ours at every provider, and nobody else’s', async () => {
    const stands = [await pods(), await host()];
    const others = labelOf('others', newId());
    for (const stand of stands) {
      for (const label of [undefined, undefined, others, 'aima-tester-no-id', 'postgres']) stand.rent(label);
    }
    const reports = await press(stands);
    for (const [index, stand] of stands.entries()) {
      expect(labelsAlive(stand)).toEqual([others, 'aima-tester-no-id', 'postgres']);
      expect(reports[index]).toMatchObject({ provider: stand.provider.name, confirmed: true, why: null });
      expect(reports[index]!.machines.map(({ gone }) => gone)).toEqual([true, true]);
    }
  });

  it('says that nothing was there', async () => {
    expect(await press([await pods()])).toEqual([
      { provider: 'runpod-pods', machines: [], confirmed: true, why: null },
    ]);
  });

  it('lets no provider that fails keep the others waiting, and says what it could not confirm', async () => {
    const [broken, well] = [await pods(), await host()];
    for (const stand of [broken, well]) stand.rent();
    broken.market.faults.add('list', { kind: 'answer', status: 401, body: '{}', done: false }, 10_000);
    const lines: string[] = [];
    const gone = new AbortController();
    const reports = press([broken, well], {
      signal: gone.signal,
      log(line) {
        lines.push(line);
        if (line === 'ssh: nothing of ours is there any more') gone.abort();
      },
    });
    expect(await reports).toMatchObject([
      { provider: 'runpod-pods', confirmed: false, why: expect.stringContaining('401') },
      { provider: 'ssh', confirmed: true },
    ]);
    expect(labelsAlive(well)).toEqual([]);
    // The same reason is said once, however often it is tried.
    expect(lines.filter((line) => line.startsWith('runpod-pods'))).toHaveLength(1);
  });

  it('goes on until it succeeds: lists that fail, ends that fail or are only acknowledged', async () => {
    const stand = await pods();
    stand.rent();
    const { faults } = stand.market;
    faults.add('list', { kind: 'dropped' });
    faults.add('list', { kind: 'answer', status: 500, body: 'oops', done: false });
    faults.add('terminate', { kind: 'answer', status: 500, body: 'oops', done: false });
    faults.add('terminate', { kind: 'ignored' }, 2);
    const [report] = await press([stand]);
    expect(report).toMatchObject({ confirmed: true, machines: [{ gone: true, why: null }] });
    expect(labelsAlive(stand)).toEqual([]);
  });

  it('takes a machine for gone neither by a list that lacks it nor by one read', async () => {
    const stand = await pods();
    stand.rent();
    const { faults } = stand.market;
    faults.add('terminate', { kind: 'ignored' }, 3);
    // The first list shows it, the next two do not.
    const stop = press([stand], {
      log: (line) => line.includes('ending') && faults.add('list', { kind: 'empty' }, 2),
    });
    expect(await stop).toMatchObject([{ confirmed: true, machines: [{ gone: true }] }]);
    expect(labelsAlive(stand)).toEqual([]);
  });

  it('looks on for what was created just before and shows late', async () => {
    const stand = await pods();
    stand.market.faults.add('create', { kind: 'appears_late', ms: 60_000 });
    stand.rent();
    const provider = { ...stand.provider, createTimeoutMs: 0, listLagMs: 1_000 };
    const stop = press([{ ...stand, provider }], {
      waitsForLate: true,
      log: (line) => line.includes('looking on until') && stand.clock.advance(60_000),
    });
    expect(await stop).toMatchObject([{ confirmed: true, machines: [{ gone: true }] }]);
    expect(labelsAlive(stand)).toEqual([]);
  });

  it('answers when its time is up, whatever a provider still waits for', async () => {
    const stand = await host();
    stand.rent();
    stand.market.faults.add('terminate', { kind: 'slow', ms: 5_000 });
    const time = new AbortController();
    const [report] = await press([stand], {
      signal: time.signal,
      log: (line) => line.includes('ending') && time.abort(),
    });
    expect(report).toMatchObject({
      confirmed: false,
      machines: [{ gone: false, why: 'It is still there.' }],
    });
  });

  it('ends all at once where machines cannot be listed', async () => {
    const clock = manualClock();
    const simulator = await startRunpodServerless({ clock });
    onTestFinished(() => simulator.close());
    const { url, endpointId } = simulator;
    const provider = runpodServerless({ controlUrl: url, runtimeUrl: url, endpointId, key: accountKey });
    const [offer] = await provider.offers();
    const request = {
      offer: offer!,
      environment: {},
      deadlineAt: new Date(Date.now() + 60_000),
      maxCostMicrodollars: 0,
    };
    await provider.create({ ...request, label: labelOf(owner, newId()) });
    expect(simulator.market.alive()).toHaveLength(1);
    const stop = (one: Provider) =>
      stopEverything([one], owner, {
        signal: AbortSignal.timeout(300),
        log: () => {},
        waitsForLate: false,
        pauseMs: 10,
      });
    const { endAll: _, ...without } = provider;
    expect(await stop(without)).toMatchObject([
      { confirmed: false, why: expect.stringContaining('cannot list') },
    ]);
    expect(await press([{ provider } as Stand])).toMatchObject([{ confirmed: true }]);
    expect(simulator.market.alive()).toEqual([]);
  });
});
