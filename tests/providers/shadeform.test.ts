/** The Shadeform adapter against the simulated provider. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import type { CreateRequest, Offer, Provider } from '../../functions/core/providers/provider.ts';
import { openShadeform, type ShadeformOptions, shadeform } from '../../functions/core/providers/shadeform.ts';
import { accountKey, conformance, type Stand } from './conformance.ts';
import { type Exchange, hasSpec, listenToFetch, readOpenApi } from './openapi.ts';
import { manualClock } from './simulator/clock.ts';
import { shadeformOffer } from './simulator/shadeform/stock.ts';
import { type ShadeformSimulation, startShadeform } from './simulator/shadeform.ts';

const document = 'shadeform.openapi.yml';
const isDocumented = hasSpec(document);
if (!isDocumented) console.warn(`There is no ${document}: what is sent is not held against it.`);

const hourMs = 3_600_000;
const image = 'registry.invalid/aima-worker:1';

async function start(simulation: ShadeformSimulation = {}): Promise<Stand> {
  const clock = manualClock();
  const simulator = await startShadeform({ clock, acceptMs: 5000, pullMs: 20_000, ...simulation });
  const open = (options: Partial<ShadeformOptions> = {}) =>
    shadeform({ url: simulator.url, apiKey: accountKey, image, diskGb: 40, timeoutMs: 500, ...options });
  return { simulator, clock, provider: open(), strangers: open({ apiKey: 'another-key' }) };
}

conformance('shadeform', start);

describe('shadeform', () => {
  let stand: Stand;
  let provider: Provider;
  const stands: Stand[] = [];
  const openStand = async (simulation?: ShadeformSimulation) => {
    stand = await start(simulation);
    stands.push(stand);
    provider = stand.provider;
  };
  beforeEach(() => openStand());
  afterEach(async () => {
    await Promise.all(stands.splice(0).map(({ simulator }) => simulator.close()));
  });

  const offerOf = async (wanted: Partial<Offer> = { gpu: 'A6000', interruptible: false }) => {
    const offers = await provider.offers();
    const offer = offers.find((one) =>
      Object.entries(wanted).every(([key, value]) => one[key as keyof Offer] === value),
    );
    if (!offer) throw new Error(`no such offer among ${JSON.stringify(offers)}`);
    return offer;
  };
  const request = async (change: Partial<CreateRequest> = {}): Promise<CreateRequest> => ({
    label: 'aima-tester-1',
    offer: change.offer ?? (await offerOf()),
    environment: { AIMA_INSTANCE_ID: 'x' },
    deadlineAt: new Date(stand.clock.nowMs() + 6 * hourMs),
    maxCostMicrodollars: 1_234_567,
    ...change,
  });
  const created = async (change?: Partial<CreateRequest>) => {
    const outcome = await provider.create(await request(change));
    if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome));
    return outcome.providerInstanceId;
  };
  const sent = () => stand.simulator.requests.findLast(({ path }) => path.endsWith('/create'))!.body;
  const alive = () => stand.simulator.market.alive();
  const faults = () => stand.simulator.market.faults;

  describe('offers', () => {
    it('are one type in one region, with the price in cents made micro-dollars', async () => {
      expect(await offerOf({ gpu: 'RTX4090' })).toMatchObject({
        host: 'datacrunch/fin-01',
        region: expect.stringContaining('fin-01'),
        vramMb: 24_000,
        cuda: 12.8,
        interruptible: false,
        priceMicrodollarsPerHour: 400_000,
        billedFrom: 'request',
        available: 1,
        // The longest boot and the pull of the image.
        bootMs: 465_000,
        speed: 2.6,
      });
    });

    it('of spot machines have their own price and may be taken away', async () => {
      expect(await offerOf({ interruptible: true })).toMatchObject({
        gpu: 'A6000',
        priceMicrodollarsPerHour: 290_000,
      });
    });

    it('leave out what is sold out, and what the image cannot run on', async () => {
      const one = { configuration: { gpu_type: 'H100' } };
      await openStand({
        offers: [
          shadeformOffer(1, { cloud: 'a', ...one }, 0),
          shadeformOffer(1, { cloud: 'b', deployment_type: 'baremetal', ...one }),
          shadeformOffer(1, { cloud: 'c', configuration: { num_gpus: 8 } }),
          shadeformOffer(1, { cloud: 'd', configuration: { gpu_manufacturer: 'amd' } }),
          shadeformOffer(1, { cloud: 'e', configuration: { storage_in_gb: 30 } }),
          shadeformOffer(1, { cloud: 'f', deployment_type: 'container', ...one }),
        ],
      });
      expect((await provider.offers()).map((offer) => offer.host)).toEqual(['f/canada-1']);
    });

    it('do without what a type does not tell', async () => {
      const [silent] = [shadeformOffer(1, { configuration: { os_options: ['ubuntu22.04'] } })];
      delete silent!.facts.boot_time;
      await openStand({ offers: [silent!] });
      const offer = await offerOf({});
      expect(offer).toMatchObject({ cuda: null, bootMs: 600_000 });
      await created({ offer });
      expect(sent()).not.toHaveProperty('os');
    });
  });

  describe('create', () => {
    it('asks for the container, the newest CUDA, and an end by day and by money', async () => {
      const wanted = await request();
      await provider.create(wanted);
      expect(sent()).toMatchObject({
        cloud: 'hyperstack',
        region: 'canada-1',
        shade_instance_type: 'A6000',
        shade_cloud: true,
        name: 'aima-tester-1',
        os: 'ubuntu22.04_cuda12.8_shade_os',
        launch_configuration: {
          type: 'docker',
          docker_configuration: {
            image,
            envs: expect.arrayContaining([{ name: 'AIMA_PROVIDER', value: 'shadeform' }]),
          },
        },
        // The next cent, as dollars.
        auto_delete: { date_threshold: wanted.deadlineAt.toISOString(), spend_threshold: '1.24' },
      });
    });

    it('rents spot where spot was offered', async () => {
      await created({ offer: await offerOf({ interruptible: true }) });
      expect(sent()).toMatchObject({ rental_type: 'spot' });
      expect(alive()[0]).toMatchObject({ pricePerHour: 0.29 });
    });

    it('tells what it really costs', async () => {
      faults().add('create', { kind: 'dearer', factor: 2 });
      const wanted = await request();
      expect(await provider.create(wanted)).toMatchObject({
        kind: 'created',
        priceMicrodollarsPerHour: 2 * wanted.offer.priceMicrodollarsPerHour,
      });
    });

    it('gives back another GPU than was asked for', async () => {
      faults().add('create', { kind: 'other_gpu', gpu: 'A4000' });
      expect(await provider.create(await request())).toMatchObject({
        kind: 'broken',
        providerInstanceId: alive()[0]!.id,
        detail: 'A4000 came instead of A6000.',
      });
    });

    it('gives back a machine that would not be deleted by itself', async () => {
      const id = await created();
      const info = { ...(await readRaw(id)), auto_delete: {} };
      faults().add('read', { kind: 'answer', status: 200, body: JSON.stringify(info), done: false });
      expect(await provider.create(await request())).toMatchObject({ kind: 'broken' });
    });

    it('keeps a machine that cannot be read yet', async () => {
      faults().add('create', { kind: 'appears_late', ms: 60_000 });
      const wanted = await request();
      expect(await provider.create(wanted)).toMatchObject({
        kind: 'created',
        priceMicrodollarsPerHour: wanted.offer.priceMicrodollarsPerHour,
      });
    });

    // As its users met them; the description says nothing of errors.
    it.each([
      [
        409,
        '{"error_code":"OUT_OF_STOCK","error":"[H100] is not available in the region [x]"}',
        'no_capacity',
      ],
      [409, '{"error_code":"INSUFFICIENT_FUNDS","error":"Balance must be a minimum of $5"}', 'no_credit'],
      [400, '{"error_code":"INVALID_REQUEST","error":"malformed"}', 'invalid'],
      [429, 'slow down', 'rate_limited'],
    ])('takes %i %s for %s', async (status, body, why) => {
      const wanted = await request();
      faults().add('create', { kind: 'answer', status, body, done: false });
      expect(await provider.create(wanted)).toMatchObject({ kind: 'refused', why });
    });

    it('ends what an error names', async () => {
      const wanted = await request();
      const body = '{"error_code":"CLOUD_ERROR","error":"it did not start","id":"d290f1ee"}';
      faults().add('create', { kind: 'answer', status: 409, body, done: true });
      expect(await provider.create(wanted)).toMatchObject({ kind: 'broken', providerInstanceId: 'd290f1ee' });
    });

    it('takes a conflict that something in between told for a doubt', async () => {
      const wanted = await request();
      faults().add('create', { kind: 'answer', status: 409, body: '<html></html>', done: true });
      await expect(provider.create(wanted)).rejects.toThrow('409');
    });
  });

  describe('auto_delete', () => {
    it('ends the machine on its day although nobody asks', async () => {
      const id = await created({ deadlineAt: new Date(stand.clock.nowMs() + hourMs) });
      stand.clock.advance(hourMs - 1000);
      expect(await provider.read(id)).not.toBeNull();
      stand.clock.advance(1000);
      expect(await provider.read(id)).toBeNull();
    });

    it('ends the machine at its amount although nobody asks', async () => {
      // $1.14 buys two hours.
      const id = await created({ maxCostMicrodollars: 1_140_000 });
      stand.clock.advance(2 * hourMs - 1000);
      expect(alive()).toHaveLength(1);
      stand.clock.advance(1000);
      expect(await provider.read(id)).toBeNull();
      expect(stand.simulator.market.cost(stand.simulator.market.machines[0]!)).toBeCloseTo(1.14);
    });
  });

  describe('machines', () => {
    it('begin, run, and cost what Shadeform says', async () => {
      const id = await created();
      expect(await provider.read(id)).toMatchObject({
        status: 'starting',
        label: 'aima-tester-1',
        priceMicrodollarsPerHour: 570_000,
      });
      stand.clock.advance(hourMs);
      expect(await provider.read(id)).toMatchObject({ status: 'running' });
      expect(await provider.costs(new Date(0))).toEqual([{ providerInstanceId: id, microdollars: 570_000 }]);
    });

    it('are there until they are deleted, not only until that begins', async () => {
      await openStand({ deletingMs: 60_000 });
      const id = await created();
      await provider.terminate(id);
      expect(await provider.read(id)).toMatchObject({ status: 'ending' });
      expect(await provider.list()).toMatchObject([{ providerInstanceId: id, status: 'ending' }]);
      stand.clock.advance(60_000);
      expect(await provider.read(id)).toBeNull();
    });

    it('that were reclaimed say so', async () => {
      const id = await created({ offer: await offerOf({ interruptible: true }) });
      stand.clock.advance(60_000);
      stand.simulator.market.preempt(id);
      expect(await provider.read(id)).toMatchObject({ status: 'preempted' });
    });

    it.each([
      ['pending_provider', 'starting'],
      ['pending', 'starting'],
      // Never gone: what failed at Shadeform may run, and be billed, at the cloud.
      ['error', 'failed'],
      ['a word nobody knows', 'starting'],
    ])('in %s are %s', async (status, meant) => {
      const id = await created();
      const body = JSON.stringify({ ...(await readRaw(id)), status });
      faults().add('read', { kind: 'answer', status: 200, body, done: false });
      expect(await provider.read(id)).toMatchObject({ status: meant });
    });

    it('that are shown as deleted are gone', async () => {
      const id = await created();
      const instance = { ...(await readRaw(id)), status: 'deleted' };
      const answer = (body: unknown) =>
        ({ kind: 'answer', status: 200, body: JSON.stringify(body), done: false }) as const;
      faults().add('read', answer(instance));
      faults().add('list', answer({ instances: [instance] }));
      expect(await provider.read(id)).toBeNull();
      expect(await provider.list()).toEqual([]);
    });

    it('are not gone while they are listed, whatever a 404 says', async () => {
      const id = await created();
      const body = '{"error_code":"NOT_FOUND","error":"The instance does not exist."}';
      faults().add('read', { kind: 'answer', status: 404, body, done: false });
      await expect(provider.read(id)).rejects.toThrow('lists');
    });
  });

  it('says what its configuration lacks', () => {
    expect(() => openShadeform(loadConfig({}))).toThrow('AIMA_WORKER_IMAGE');
  });

  it.skipIf(!isDocumented)('speaks as the OpenAPI document has it', async () => {
    const exchanges: Exchange[] = [];
    const leave = listenToFetch(exchanges);
    try {
      const id = await created();
      stand.clock.advance(hourMs);
      await provider.read(id);
      await provider.list();
      await provider.terminate(id);
      await provider.read(id);
      await stand.strangers.list().catch(() => {});
    } finally {
      leave();
    }
    const { faultsOf } = readOpenApi(document);
    expect(exchanges.length).toBeGreaterThan(7);
    expect(exchanges.flatMap((exchange) => faultsOf(exchange))).toEqual([]);
  });

  async function readRaw(id: string): Promise<Record<string, unknown>> {
    const response = await fetch(`${stand.simulator.url}/v1/instances/${id}/info`, {
      headers: { 'x-api-key': accountKey },
    });
    return (await response.json()) as Record<string, unknown>;
  }
});
