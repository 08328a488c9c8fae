/** The Vast.ai adapter against the simulated provider. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import type { CreateRequest, Offer, Provider } from '../../functions/core/providers/provider.ts';
import { openVast, type VastOptions, vast } from '../../functions/core/providers/vast.ts';
import { conformance, type Stand } from './conformance.ts';
import { type Exchange, hasSpec, listenToFetch, readOpenApi } from './openapi.ts';
import { type ManualClock, manualClock } from './simulator/clock.ts';
import type { Fault } from './simulator/faults.ts';
import { accountKey } from './simulator/server.ts';
import { diskPerHour, vastOffer } from './simulator/vast/offers.ts';
import { startVast, type VastSimulation } from './simulator/vast.ts';

const hourMs = 3_600_000;
const spec = 'vast.openapi.yaml';
const image = 'registry.invalid/aima-worker:1';

function adapter(url: string, clock: ManualClock, options: Partial<VastOptions> = {}): Provider {
  return vast({
    url,
    apiKey: accountKey,
    image,
    diskGb: 40,
    minVramMb: 15_000,
    minCuda: 12.4,
    minReliability: 0.95,
    minLeaseMs: 6 * hourMs,
    interruptible: true,
    timeoutMs: 500,
    // Waiting is time that passes on the market's clock.
    clock: { nowMs: clock.nowMs, sleep: async (ms) => clock.advance(ms) },
    ...options,
  });
}

async function start(simulation: VastSimulation = {}): Promise<Stand> {
  const clock = manualClock();
  const simulator = await startVast({ clock, acceptMs: 5000, pullMs: 20_000, ...simulation });
  const provider = adapter(simulator.url, clock);
  return { simulator, clock, provider, strangers: adapter(simulator.url, clock, { apiKey: 'another-key' }) };
}

conformance('vast', start);

describe('vast', () => {
  let stand: Stand;
  let provider: Provider;
  beforeEach(async () => {
    stand = await start();
    provider = stand.provider;
  });
  afterEach(() => stand.simulator.close());
  const restart = async (simulation: VastSimulation) => {
    await stand.simulator.close();
    stand = await start(simulation);
    provider = stand.provider;
  };

  const fixed = async () => (await provider.offers()).find((offer) => offer.offerId === '7100101')!;
  const byBid = async () =>
    (await provider.offers()).find((offer) => offer.offerId.startsWith('7100101/bid'))!;
  const request = (offer: Offer): CreateRequest => ({
    label: 'aima-tester-1',
    offer,
    environment: { AIMA_INSTANCE_ID: 'x' },
    deadlineAt: new Date(stand.clock.nowMs() + hourMs),
    maxCostMicrodollars: 5_000_000,
  });
  const created = async (offer: Offer) => {
    const outcome = await provider.create(request(offer));
    if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome));
    return outcome.providerInstanceId;
  };
  const market = () => stand.simulator.market;
  const sent = (path: RegExp) => stand.simulator.requests.findLast((one) => path.test(one.path))!;
  const add = (call: Parameters<Stand['simulator']['market']['faults']['add']>[0], fault: Fault) =>
    market().faults.add(call, fault);
  const answer = (status: number, body: unknown): Fault => ({
    kind: 'answer',
    status,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    done: false,
  });

  describe('offers', () => {
    it('are those of machines that will do, the cheapest first', async () => {
      const ids = (await provider.offers()).map((offer) => offer.offerId.split('/')[0]);
      expect([...new Set(ids)]).toEqual(['7100102', '7100101', '7100103']);
    });

    it('cost what the GPU and the disk cost, and tell of traffic, host and place', async () => {
      const disk = (40 * 0.15) / 720;
      expect(await fixed()).toEqual({
        provider: 'vast',
        offerId: '7100101',
        host: '101',
        gpu: 'RTX 4090',
        vramMb: 24_564,
        cuda: 12.8,
        region: 'Sweden, SE',
        reliability: 0.995,
        interruptible: false,
        priceMicrodollarsPerHour: Math.round((0.4 + disk) * 1e6),
        trafficMicrodollarsPerGb: { in: 2000, out: 3000 },
        downloadMbps: 850,
        billedFrom: 'request',
        available: 1,
        bootMs: expect.any(Number),
        speed: 2.6,
      });
    });

    it('are made by bid too, a tenth above the lowest, where that is cheaper', async () => {
      const disk = Math.round(((40 * 0.15) / 720) * 1e6);
      expect(await byBid()).toMatchObject({
        offerId: `7100101/bid/${disk}`,
        interruptible: true,
        priceMicrodollarsPerHour: 220_000 + disk,
      });
      await restart({ offers: [vastOffer(7_100_101, 0.4, { min_bid: 0.38 })] });
      expect(await provider.offers()).toHaveLength(1);
    });

    it('are not made by bid where machines that may be taken away are not wanted', async () => {
      const careful = adapter(stand.simulator.url, stand.clock, { interruptible: false });
      expect((await careful.offers()).filter((offer) => offer.interruptible)).toEqual([]);
    });

    it('come of one search', async () => {
      await provider.offers();
      expect(stand.simulator.requests).toHaveLength(1);
    });
  });

  describe('create', () => {
    it('asks for our image as it is, and for nothing where it cannot run now', async () => {
      await created(await fixed());
      expect(sent(/asks/)).toMatchObject({
        method: 'PUT',
        path: '/api/v0/asks/7100101/',
        body: {
          image,
          disk: 40,
          label: 'aima-tester-1',
          runtype: 'args',
          target_state: 'running',
          cancel_unavail: true,
          env: { AIMA_INSTANCE_ID: 'x', AIMA_PROVIDER: 'vast', AIMA_PROVIDER_URL: stand.simulator.url },
        },
      });
      expect(sent(/asks/).body).not.toHaveProperty('price');
    });

    it('bids what the offer costs without its disk, and is billed what was offered', async () => {
      const offer = await byBid();
      const id = await created(offer);
      expect(sent(/asks/).body).toMatchObject({ price: 0.22 });
      expect(await provider.read(id)).toMatchObject({
        priceMicrodollarsPerHour: offer.priceMicrodollarsPerHour,
      });
    });

    it('is refused where others bid more meanwhile, and leaves no stopped machine', async () => {
      const offer = await byBid();
      (market().offers[0]!.facts as { min_bid: number }).min_bid = 0.35;
      expect(await provider.create(request(offer))).toMatchObject({ kind: 'refused', why: 'offer_gone' });
      expect(market().machines).toEqual([]);
    });

    it('names the machine that an error leaves behind', async () => {
      const offer = await fixed();
      for (const status of [400, 410, 500]) {
        add('create', { kind: 'failed_yet_made', status });
        const outcome = await provider.create(request(offer));
        const { id } = market().alive()[0]!;
        expect(outcome).toMatchObject({ kind: 'broken', providerInstanceId: id });
        market().end(id);
      }
      add(
        'create',
        answer(200, { success: false, error: 'x', new_contract: 4711, instance_api_key: 'secret' }),
      );
      const outcome = await provider.create(request(offer));
      expect(outcome).toMatchObject({ kind: 'broken', providerInstanceId: '4711' });
      expect(JSON.stringify(outcome)).not.toContain('secret');
    });

    it('is refused, unsent, where too many wait before it', async () => {
      const offer = await fixed();
      const sleep = () => new Promise<void>(() => {});
      const crowded = adapter(stand.simulator.url, stand.clock, {
        clock: { nowMs: stand.clock.nowMs, sleep },
      });
      // One each 4.6 s: the eighth would wait longer than half a minute.
      const outcomes = Array.from({ length: 8 }, () => crowded.create(request(offer)));
      expect(await outcomes[7]).toMatchObject({ kind: 'refused', why: 'rate_limited' });
      expect(await outcomes[0]).toMatchObject({ kind: 'created' });
      expect(market().machines).toHaveLength(1);
    });

    it.each([
      ['offer_gone', 404, { success: false, error: 'invalid_args', msg: 'error 404/3603: no_such_ask' }],
      ['offer_gone', 410, { success: false, error: 'no_such_ask', msg: 'error 410/3907' }],
      ['offer_gone', 400, { success: false, error: 'no_such_ask', msg: 'taken' }],
      ['offer_gone', 400, { success: false, error: 'invalid_price', msg: 'too low' }],
      ['invalid', 400, { success: false, error: 'invalid_args', msg: 'disk' }],
      ['no_credit', 400, { success: false, error: 'insufficient_credit', msg: 'Your account lacks credit' }],
      ['unauthorized', 403, { success: false, error: 'invalid_args', msg: 'Hosts can only rent their own' }],
      ['unauthorized', 404, { success: false, error: 'auth_error', msg: 'Invalid user key' }],
      ['rate_limited', 429, 'API requests too frequent: endpoint threshold=4.5'],
    ])('is %s for an answer of %i that says so', async (why, status, body) => {
      const offer = await fixed();
      add('create', answer(status, body));
      expect(await provider.create(request(offer))).toMatchObject({ kind: 'refused', why });
    });

    it.each([
      [404, '<html>nginx</html>'],
      [400, '<html>Bad Request</html>'],
      [200, { success: false, error: 'try_again' }],
      [200, { success: true }],
      [503, { success: false, error: 'invalid_args' }],
    ])('is in doubt for an answer of %i that is not Vast’s clear no', async (status, body) => {
      const offer = await fixed();
      add('create', answer(status, body));
      await expect(provider.create(request(offer))).rejects.toThrow();
    });
  });

  describe('a machine', () => {
    const statusOf = async (id: string) => (await provider.read(id))?.status;

    it('starts, runs and, when its container ends, has failed and is billed for its disk alone', async () => {
      let exit = () => {};
      await restart({
        startContainer: () => ({ kill: () => {}, ended: new Promise<void>((ended) => (exit = ended)) }),
      });
      const id = await created(await fixed());
      expect(await statusOf(id)).toBe('starting');
      stand.clock.advance(10_000);
      expect(await statusOf(id)).toBe('starting');
      stand.clock.advance(30_000);
      expect(await statusOf(id)).toBe('running');
      exit();
      await expect.poll(() => statusOf(id)).toBe('failed');
      const machine = market().alive()[0]!;
      const before = market().cost(machine);
      stand.clock.advance(hourMs);
      const perHour = diskPerHour(vastOffer(7_100_101, 0.4), 40);
      expect(market().cost(machine) - before).toBeCloseTo(perHour, 6);
    });

    it('that was outbid is preempted', async () => {
      const id = await created(await byBid());
      stand.clock.advance(60_000);
      market().preempt(id);
      expect(await statusOf(id)).toBe('preempted');
      expect((await provider.list())![0]).toMatchObject({ status: 'preempted' });
    });

    it('whose host cannot make the container has failed, and says why', async () => {
      const offer = await fixed();
      add('create', { kind: 'ailing', ailment: { kind: 'cannot_start' } });
      const id = await created(offer);
      stand.clock.advance(60_000);
      expect(await provider.read(id)).toMatchObject({
        status: 'failed',
        detail: expect.stringContaining('unsatisfied condition'),
      });
    });

    it.each(['exited', 'unknown', 'offline', 'stopped', 'frozen'])(
      'that is %s has failed',
      async (actual_status) => {
        add('read', answer(200, { instances: { id: 7, actual_status, intended_status: 'running' } }));
        expect(await statusOf('7')).toBe('failed');
      },
    );

    it('is not taken for another one', async () => {
      add('read', answer(200, { instances: { id: 8, actual_status: 'running' } }));
      await expect(provider.read('7')).rejects.toMatchObject({ reason: 'unreadable' });
    });

    it('is not gone because a key is not known, or a path', async () => {
      add('read', answer(404, { success: false, error: 'auth_error', msg: 'Invalid user key' }));
      await expect(provider.read('7')).rejects.toMatchObject({ reason: 'unauthorized' });
      add('read', answer(404, { success: false, error: 'not_found', msg: 'no such URL' }));
      await expect(provider.read('7')).rejects.toMatchObject({ reason: 'refused' });
    });

    it('costs what it really costs where that is not what was offered', async () => {
      const offer = await fixed();
      add('create', { kind: 'dearer', factor: 3 });
      const id = await created(offer);
      const machine = await provider.read(id);
      expect(machine!.priceMicrodollarsPerHour! / offer.priceMicrodollarsPerHour).toBeCloseTo(3, 4);
    });

    it('can be ended by the key in its container, and no other can', async () => {
      const seen: Record<string, string>[] = [];
      await restart({
        offers: [vastOffer(1, 0.4), vastOffer(2, 0.5)],
        startContainer: (_machine, _market, environment) => {
          seen.push(environment);
          return { kill: () => {}, ended: new Promise(() => {}) };
        },
      });
      for (const offer of (await provider.offers()).filter((one) => !one.interruptible)) await created(offer);
      stand.clock.advance(60_000);
      const [own, other] = seen as [Record<string, string>, Record<string, string>];
      expect(own).toMatchObject({
        CONTAINER_ID: expect.any(String),
        VAST_CONTAINERLABEL: `C.${own.CONTAINER_ID}`,
        GPU_COUNT: '1',
        AIMA_PROVIDER: 'vast',
      });
      const destroy = (id: string) =>
        fetch(`${own.AIMA_PROVIDER_URL}/api/v0/instances/${id}/`, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${own.CONTAINER_API_KEY}` },
        });
      expect((await destroy(other.CONTAINER_ID!)).status).toBe(401);
      expect((await destroy(own.CONTAINER_ID!)).status).toBe(200);
      expect(
        market()
          .alive()
          .map(({ id }) => id),
      ).toEqual([other.CONTAINER_ID]);
    });
  });

  describe('a list', () => {
    it('that was cut off is noticed', async () => {
      await created(await fixed());
      add('list', { kind: 'partial' });
      await expect(provider.list()).rejects.toMatchObject({ reason: 'unreadable' });
      expect(await provider.list()).toHaveLength(1);
    });

    it('that never ends is noticed', async () => {
      const page = { instances: [], total_instances: 0, next_token: 'again' };
      add('list', answer(200, page));
      add('list', answer(200, page));
      await expect(provider.list()).rejects.toMatchObject({ reason: 'unreadable' });
    });

    it('brings nobody’s environment along', async () => {
      await created(await fixed());
      await provider.list();
      expect(sent(/v1\/instances/).query.get('select_cols')).not.toContain('env');
    });
  });

  it('ends what Vast says is not there', async () => {
    for (const error of ['no_such_instance', 'not_found']) {
      add('terminate', answer(404, { success: false, error, msg: 'gone' }));
      await provider.terminate('7');
    }
    add('terminate', answer(404, { success: false, error: 'auth_error', msg: 'Invalid user key' }));
    await expect(provider.terminate('7')).rejects.toMatchObject({ reason: 'unauthorized' });
    add('terminate', answer(200, { success: false, msg: 'busy' }));
    await expect(provider.terminate('7')).rejects.toMatchObject({ reason: 'refused' });
  });

  it('reads the bill of every machine, beyond a page', async () => {
    const offer = market().offers[0]!;
    offer.stock = 600;
    for (let n = 0; n < 510; n++)
      market().rent({ offerId: offer.id, label: `one-${n}`, environment: {}, request: {} }, null);
    stand.clock.advance(hourMs);
    const bill = await provider.costs(new Date(stand.clock.nowMs() - hourMs));
    expect(bill).toHaveLength(510);
    expect(new Set(bill.map(({ providerInstanceId }) => providerInstanceId))).toEqual(
      new Set(market().machines.map(({ id }) => id)),
    );
    expect(bill[0]!.microdollars / 400_000).toBeCloseTo(1, 1);
  });

  it('keeps within the intervals that Vast allows', async () => {
    await restart({ keepsThresholds: true });
    const offers = await provider.offers();
    const ids: string[] = [];
    for (const offer of offers.filter((one) => !one.interruptible)) ids.push(await created(offer));
    for (const id of ids) expect(await provider.read(id)).not.toBeNull();
    for (const id of ids) await provider.terminate(id);
    await provider.offers();
    expect(market().machines).toHaveLength(3);
    expect(market().alive()).toEqual([]);
    // And the simulator does refuse who does not wait.
    const hasty = adapter(stand.simulator.url, stand.clock);
    await expect(hasty.offers()).rejects.toMatchObject({ reason: 'rate_limited' });
  });

  it('is not opened without an image', () => {
    expect(() => openVast(loadConfig({ AIMA_PROVIDERS: 'vast' }))).toThrow('AIMA_WORKER_IMAGE');
  });

  if (!hasSpec(spec)) console.warn(`../shared/specs/${spec} is absent: what is said is not held against it.`);
  it.skipIf(!hasSpec(spec))('speaks as the OpenAPI document has it', async () => {
    const exchanges: Exchange[] = [];
    const leave = listenToFetch(exchanges);
    try {
      const offer = await byBid();
      const id = await created(offer);
      stand.clock.advance(60_000);
      await provider.read(id);
      await provider.list();
      expect(await provider.create(request(offer))).toMatchObject({ why: 'offer_gone' });
      await stand.strangers.list().catch(() => {});
      await stand.strangers.costs(new Date(0)).catch(() => {});
      await provider.costs(new Date(stand.clock.nowMs() - hourMs));
      await provider.terminate(id);
      await provider.terminate(id);
      await provider.read(id);
      const headers = { authorization: `Bearer ${accountKey}` };
      await fetch(`${stand.simulator.url}/api/v0/users/current/`, { headers });
      await fetch(`${stand.simulator.url}/api/v0/bundles/`, {
        method: 'POST',
        body: '{"colour":{"eq":1}}',
        headers,
      });
      const again = await created(await fixed());
      for (const body of ['{"state":"stopped"}', '{"state":"running"}', '{"label":"other"}'])
        await fetch(`${stand.simulator.url}/api/v0/instances/${again}/`, { method: 'PUT', body, headers });
    } finally {
      leave();
    }
    const document = readOpenApi(spec);
    expect(exchanges.length).toBeGreaterThan(15);
    expect(exchanges.map(asDocumented).flatMap((exchange) => document.faultsOf(exchange))).toEqual([]);
  });
});

/**
 * Where the document contradicts itself or Vast's own CLI, which this follows: paths end in a slash,
 * `env` is an object, the type of an offer is `on-demand`, `extra_env` holds pairs, and an instance
 * that there is not is null.
 */
function asDocumented(exchange: Exchange): Exchange {
  const url = new URL(exchange.url);
  url.pathname = url.pathname.replace(/\/$/, '');
  const sent = JSON.parse(exchange.sent ?? 'null');
  if (sent?.env) sent.env = '';
  if (sent?.type === 'on-demand') sent.type = 'ondemand';
  const received = JSON.parse(exchange.received);
  if (received.instances === null) received.instances = {};
  if (received.instances?.extra_env) received.instances.extra_env = [];
  return { ...exchange, url, sent: JSON.stringify(sent), received: JSON.stringify(received) };
}
