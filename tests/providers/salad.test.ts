/** The SaladCloud adapter against the simulated provider. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import type { CreateRequest, Offer, Provider } from '../../functions/core/providers/provider.ts';
import { openSalad, type SaladOptions, salad } from '../../functions/core/providers/salad.ts';
import { accountKey, conformance, type Stand } from './conformance.ts';
import { type Exchange, hasSpec, listenToFetch, readOpenApi } from './openapi.ts';
import { manualClock } from './simulator/clock.ts';
import type { Container } from './simulator/market.ts';
import { organization, project } from './simulator/salad/group.ts';
import { saladOffer } from './simulator/salad/stock.ts';
import { type SaladSimulation, startSalad } from './simulator/salad.ts';

const document = 'salad-cloud.openapi.yaml';
const isDocumented = hasSpec(document);
if (!isDocumented) console.warn(`There is no ${document}: what is sent is not held against it.`);

const hourMs = 3_600_000;
const image = 'registry.invalid/aima-worker:1';
const label = 'aima-tester-01kat5y0e8fsv6cfx33k5jw3wq';

async function start(simulation: SaladSimulation = {}): Promise<Stand> {
  const clock = manualClock();
  const simulator = await startSalad({ clock, acceptMs: 5000, pullMs: 20_000, ...simulation });
  const open = (options: Partial<SaladOptions> = {}) =>
    salad({
      url: simulator.url,
      apiKey: accountKey,
      organization,
      project,
      image,
      diskGb: 40,
      timeoutMs: 500,
      ...options,
    });
  return { simulator, clock, provider: open(), strangers: open({ apiKey: 'another-key' }) };
}

conformance('salad', start, { unpaged: true });

describe('salad', () => {
  let stand: Stand;
  let provider: Provider;
  const stands: Stand[] = [];
  const openStand = async (simulation?: SaladSimulation) => {
    stand = await start(simulation);
    stands.push(stand);
    provider = stand.provider;
  };
  beforeEach(() => openStand());
  afterEach(async () => {
    await Promise.all(stands.splice(0).map(({ simulator }) => simulator.close()));
  });

  const offerOf = async (gpu = 'RTX 4090'): Promise<Offer> => {
    const offer = (await provider.offers()).find((one) => one.gpu === gpu);
    if (!offer) throw new Error(`no ${gpu}`);
    return offer;
  };
  const request = async (change: Partial<CreateRequest> = {}): Promise<CreateRequest> => ({
    label,
    offer: change.offer ?? (await offerOf()),
    environment: { AIMA_INSTANCE_ID: 'x' },
    deadlineAt: new Date(stand.clock.nowMs() + 6 * hourMs),
    maxCostMicrodollars: 1_000_000,
    ...change,
  });
  const created = async (change?: Partial<CreateRequest>) => {
    const outcome = await provider.create(await request(change));
    if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome));
    return outcome.providerInstanceId;
  };
  const market = () => stand.simulator.market;
  const sent = (method: string) => stand.simulator.requests.findLast((one) => one.method === method)!;
  /** A worker that runs until it is told to end. */
  const worker = () => {
    const workers: { end(): void }[] = [];
    const startContainer = (): Container => {
      const { promise, resolve } = Promise.withResolvers<void>();
      workers.push({ end: resolve });
      return { kill: resolve, ended: promise };
    };
    return { workers, startContainer };
  };

  describe('offers', () => {
    it('are GPU classes at the priority that nobody outbids', async () => {
      expect(await offerOf()).toMatchObject({
        vramMb: 24_000,
        priceMicrodollarsPerHour: 300_000,
        interruptible: true,
        billedFrom: 'start',
        available: 3,
        speed: 2.6,
      });
      expect(await offerOf('RTX 3060')).toMatchObject({ available: 0 });
    });

    it('leave out what the image cannot run on, and what does not tell enough', async () => {
      await openStand({
        offers: [
          saladOffer('Radeon RX 7900 XTX (24 GB)', 0.2),
          saladOffer('RTX 4090 x2 (24 GB)', 0.2, { gpu_count: 2 }),
          saladOffer('RTX 4070 (12 GB)', 0.2, { max_ram: 8192 }),
          saladOffer('RTX 4080 (16 GB)', 0.2, { max_storage: 20 * 2 ** 30 }),
          saladOffer('RTX 9999', 0.2),
          saladOffer('RTX 5080 (16 GB)', 0.2, { prices: [{ priority: 'batch', price: '0.1' }] }),
          saladOffer('RTX 5090 (32 GB)', 0.25),
        ],
      });
      expect((await provider.offers()).map((offer) => offer.gpu)).toEqual(['RTX 5090']);
    });

    it('whose free nodes are not told are taken for free', async () => {
      const classes = await (await ask('/gpu-classes')).text();
      market().faults.add('offers', { kind: 'answer', status: 200, body: classes, done: false });
      market().faults.add('offers', { kind: 'answer', status: 200, body: '{}', done: false }, 3);
      expect((await provider.offers()).map((offer) => offer.available)).toEqual([1, 1, 1]);
    });
  });

  describe('create', () => {
    it('asks for one container that is started once', async () => {
      await created();
      expect(sent('POST').body).toEqual({
        name: label,
        container: {
          image,
          environment_variables: { AIMA_INSTANCE_ID: 'x', AIMA_PROVIDER: 'salad' },
          priority: 'high',
          resources: {
            cpu: 4,
            memory: 16_384,
            storage_amount: 40 * 2 ** 30,
            gpu_classes: [(await offerOf()).offerId],
          },
        },
        replicas: 1,
        restart_policy: 'never',
        autostart_policy: true,
      });
    });

    it.each([400, 409])(
      'takes a name that is taken for its own earlier create, also by %i',
      async (status) => {
        const wanted = await request();
        const first = await provider.create(wanted);
        expect(await provider.create(wanted)).toEqual(first);
        market().faults.add('create', {
          kind: 'answer',
          status,
          body: '{"title":"Bad Request","detail":"The name is taken."}',
          done: false,
        });
        expect(await provider.create(wanted)).toEqual(first);
        expect(market().alive()).toHaveLength(1);
      },
    );

    it('is in doubt where that cannot be looked up', async () => {
      const wanted = await request();
      await provider.create(wanted);
      market().faults.add('read', { kind: 'answer', status: 500, body: 'oops', done: false });
      await expect(provider.create(wanted)).rejects.toThrow('500');
    });

    it.each([
      [400, '{"title":"Bad Request","status":400}', 'invalid'],
      [403, '{"title":"Forbidden","status":403}', 'unauthorized'],
      // Of the edge, which dislikes the body: the key is as good as before.
      [403, '<html>Attention Required!</html>', 'invalid'],
      [429, '{"title":"Too Many Requests","status":429}', 'rate_limited'],
    ])('takes %i %s for %s', async (status, body, why) => {
      const wanted = await request();
      market().faults.add('create', { kind: 'answer', status, body, done: false });
      expect(await provider.create(wanted)).toMatchObject({ kind: 'refused', why });
      expect(market().machines).toEqual([]);
    });

    it('does not ask for what Salad would not take', async () => {
      const environment = { AIMA_SERVER_CERTIFICATE: 'x'.repeat(1001) };
      expect(await provider.create(await request({ environment }))).toEqual({
        kind: 'refused',
        why: 'invalid',
        detail: 'AIMA_SERVER_CERTIFICATE has 1001 characters; Salad takes 1 to 1000.',
      });
      expect(market().machines).toEqual([]);
    });

    it('gives back a group that would be started for ever', async () => {
      const wanted = await request();
      await provider.create({ ...wanted, label: 'aima-other' });
      const group = (await (await ask(`/projects/${project}/containers/aima-other`)).json()) as object;
      const body = JSON.stringify({ ...group, restart_policy: 'always' });
      market().faults.add('create', { kind: 'answer', status: 201, body, done: true });
      expect(await provider.create(wanted)).toMatchObject({ kind: 'broken', providerInstanceId: label });
    });
  });

  describe('groups', () => {
    it('wait for a node for nothing where none was left after all', async () => {
      const wanted = await request();
      market().faults.add('create', { kind: 'sold_out' });
      await provider.create(wanted);
      stand.clock.advance(hourMs);
      expect(await provider.read(label)).toMatchObject({ status: 'starting' });
      expect(market().cost(market().machines[0]!)).toBe(0);
    });

    it('are not billed while they are prepared and downloaded', async () => {
      await created();
      stand.clock.advance(4000);
      expect(await provider.read(label)).toMatchObject({ status: 'starting', detail: 'pending' });
      stand.clock.advance(20_000);
      expect(await provider.read(label)).toMatchObject({ status: 'starting', detail: 'deploying' });
      const [machine] = market().machines;
      expect(market().cost(machine!)).toBe(0);
      stand.clock.advance(1000 + hourMs);
      expect(await provider.read(label)).toMatchObject({ status: 'running' });
      expect(market().cost(machine!)).toBeCloseTo(0.3);
    });

    it('that end by themselves cost nothing more and are there until they are deleted', async () => {
      const { workers, startContainer } = worker();
      await openStand({ startContainer });
      await created();
      stand.clock.advance(25_000 + hourMs);
      workers[0]!.end();
      await expect.poll(() => market().alive()).toEqual([]);
      stand.clock.advance(hourMs);
      expect(market().cost(market().machines[0]!)).toBeCloseTo(0.3);
      expect(await provider.read(label)).toMatchObject({ status: 'failed', detail: 'succeeded' });
      expect(await provider.list()).toHaveLength(1);
      await provider.terminate(label);
      expect(await provider.read(label)).toBeNull();
      expect(await provider.list()).toEqual([]);
    });

    it('that lose their node say so, begin anew on another, and are billed for neither way', async () => {
      const { workers, startContainer } = worker();
      await openStand({ startContainer });
      await created();
      stand.clock.advance(25_000 + hourMs);
      const machineId = async () =>
        ((await (await ask(`/projects/${project}/containers/${label}/instances`)).json()) as InstanceList)
          .instances[0]!.machine_id;
      const first = await machineId();
      market().preempt(label);
      expect(await provider.read(label)).toMatchObject({ status: 'preempted', detail: 'running' });
      stand.clock.advance(24_000);
      expect(await provider.read(label)).toMatchObject({ status: 'preempted' });
      stand.clock.advance(1000 + hourMs);
      expect(await provider.read(label)).toMatchObject({ status: 'running' });
      expect(workers).toHaveLength(2);
      expect(await machineId()).not.toBe(first);
      expect(market().cost(market().machines[0]!)).toBeCloseTo(0.6);
    });

    it.each([
      ['stopped', { running_count: 0, stopping_count: 0 }, 'failed'],
      ['failed', { running_count: 0, stopping_count: 0 }, 'failed'],
      ['running', { running_count: 0, stopping_count: 1 }, 'ending'],
      ['a word nobody knows', { running_count: 0, stopping_count: 0 }, 'starting'],
    ])('in %s with %j are %s', async (status, counts, meant) => {
      await created();
      const instance_status_counts = { allocating_count: 0, creating_count: 0, ...counts };
      const group = {
        name: label,
        restart_policy: 'never',
        current_state: { status, instance_status_counts },
      };
      market().faults.add('read', { kind: 'answer', status: 200, body: JSON.stringify(group), done: false });
      expect(await provider.read(label)).toMatchObject({ status: meant });
    });

    it('are not gone because the project cannot be found', async () => {
      await created();
      const elsewhere = salad({
        url: stand.simulator.url,
        apiKey: accountKey,
        organization,
        project: 'renamed',
        image,
        diskGb: 40,
      });
      await expect(elsewhere.read(label)).rejects.toThrow('404');
    });
  });

  it('says what its configuration lacks', () => {
    expect(() => openSalad(loadConfig({ AIMA_WORKER_IMAGE: image }))).toThrow(
      'AIMA_SALAD_ORGANIZATION, AIMA_SALAD_PROJECT',
    );
  });

  it.skipIf(!isDocumented)('speaks as the OpenAPI document has it', async () => {
    const exchanges: Exchange[] = [];
    const leave = listenToFetch(exchanges);
    try {
      await created();
      stand.clock.advance(hourMs);
      await provider.read(label);
      market().preempt(label);
      await provider.read(label);
      await provider.list();
      await ask(`/projects/${project}/containers/${label}/instances`);
      await provider.terminate(label);
      await provider.read(label);
      await stand.strangers.list().catch(() => {});
    } finally {
      leave();
    }
    const { faultsOf } = readOpenApi(document);
    expect(exchanges.length).toBeGreaterThan(10);
    expect(exchanges.flatMap((exchange) => faultsOf(exchange))).toEqual([]);
  });

  function ask(path: string): Promise<Response> {
    return fetch(`${stand.simulator.url}/api/public/organizations/${organization}${path}`, {
      headers: { 'salad-api-key': accountKey },
    });
  }
});

interface InstanceList {
  instances: { machine_id: string }[];
}
