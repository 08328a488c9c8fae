/**
 * What every adapter must do, whoever it speaks to. Each `<provider>.test.ts` beside this file runs it
 * against that provider's simulator and adds what only that provider has.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { labelOf } from '../../functions/core/instances/label.ts';
import {
  type CreateRequest,
  type Offer,
  type Provider,
  ProviderError,
} from '../../functions/core/providers/provider.ts';
import type { ManualClock } from './simulator/clock.ts';
import type { Simulator } from './simulator/server.ts';

export interface Stand {
  simulator: Simulator;
  /** The adapter, with a key that the simulator takes and timeouts of at most 500 ms. */
  provider: Provider;
  /** The same adapter with a key that it does not take. */
  strangers: Provider;
  /** The clock that the simulator's market runs on. */
  clock: ManualClock;
  /** Leaves nothing to rent, where that is more than stock of zero. */
  sellOut?(): void;
}

export interface Peculiarities {
  /** It has no list. */
  unlisted?: boolean;
  /** Its list has no pages and may be cut short: then it must not be taken for whole. */
  unpaged?: boolean;
  /** Its labels cannot be read back (it has none to give). */
  unlabeled?: boolean;
}

export function conformance(name: string, start: () => Promise<Stand>, peculiar: Peculiarities = {}): void {
  describe(`${name}, as every provider,`, () => {
    let stand: Stand;
    beforeEach(async () => {
      stand = await start();
    });
    afterEach(() => stand.simulator.close());

    const request = (offer: Offer, label = labelOf('tester', newId())): CreateRequest => ({
      label,
      offer,
      environment: { AIMA_INSTANCE_ID: 'x', AIMA_DATABASE_URL: 'postgres://u:p%40@h:5432/aima?a=b&c="d"' },
      deadlineAt: new Date(stand.clock.nowMs() + 3_600_000),
      maxCostMicrodollars: 5_000_000,
    });
    const anOffer = async () => {
      const offer = (await stand.provider.offers()).find((one) => one.available > 0);
      if (!offer) throw new Error('the simulator has no stock to begin with');
      return offer;
    };
    const created = async (asked = anOffer()) => {
      const wanted = request(await asked);
      const outcome = await stand.provider.create(wanted);
      if (outcome.kind !== 'created') throw new Error(`not created: ${JSON.stringify(outcome)}`);
      return { ...outcome, label: wanted.label, environment: wanted.environment };
    };
    const alive = () => stand.simulator.market.alive();
    const faults = () => stand.simulator.market.faults;
    const reasonOf = async (call: Promise<unknown>): Promise<string> => {
      const error = await call.then(
        () => null,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(ProviderError);
      return (error as ProviderError).reason;
    };

    it('makes offers that can be compared', async () => {
      const offers = await stand.provider.offers();
      expect(offers.length).toBeGreaterThan(0);
      for (const offer of offers) {
        expect(offer).toMatchObject({ provider: stand.provider.name, offerId: expect.any(String) });
        for (const figure of [offer.priceMicrodollarsPerHour, offer.vramMb, offer.available, offer.bootMs]) {
          expect(Number.isInteger(figure) && figure >= 0).toBe(true);
        }
        expect(offer.speed).toBeGreaterThan(0);
      }
      expect(new Set(offers.map((offer) => offer.offerId)).size).toBe(offers.length);
    });

    it('rents what was offered, under our label and with the environment as it is', async () => {
      const offer = await anOffer();
      const { label, providerInstanceId, priceMicrodollarsPerHour, environment } = await created(
        Promise.resolve(offer),
      );
      expect(priceMicrodollarsPerHour).toBe(offer.priceMicrodollarsPerHour);
      expect(alive()).toHaveLength(1);
      expect(alive()[0]!.environment).toMatchObject(environment);
      if (!peculiar.unlabeled) expect(alive()[0]!.label).toBe(label);
      expect(await stand.provider.read(providerInstanceId)).toMatchObject({ providerInstanceId });
    });

    it.skipIf(peculiar.unlisted)('lists every machine, also other people’s', async () => {
      const market = stand.simulator.market;
      const other = { offerId: market.offers[0]!.id, environment: {}, request: {} };
      market.rent({ ...other, label: 'somebody-else' }, null);
      const { label, providerInstanceId } = await created();
      const machines = (await stand.provider.list())!;
      expect(machines).toContainEqual(expect.objectContaining({ label, providerInstanceId }));
      expect(machines.map((machine) => machine.label)).toContain('somebody-else');
      expect(machines).toHaveLength(2);
    });

    it.skipIf(peculiar.unlisted)('lists more machines than one page holds', async () => {
      const market = stand.simulator.market;
      const offer = market.offers[0]!;
      offer.stock = 130;
      for (let n = 0; n < 120; n++)
        market.rent({ offerId: offer.id, label: `one-of-many-${n}`, environment: {}, request: {} }, null);
      if (peculiar.unpaged) expect(await reasonOf(stand.provider.list())).toBe('unreadable');
      else expect(await stand.provider.list()).toHaveLength(120);
    });

    it('ends a machine, and then reads that there is none such', async () => {
      const { providerInstanceId } = await created();
      await stand.provider.terminate(providerInstanceId);
      expect(alive()).toEqual([]);
      expect(await stand.provider.read(providerInstanceId)).toBeNull();
      if (!peculiar.unlisted) expect(await stand.provider.list()).toEqual([]);
    });

    it('ends a machine twice without harm', async () => {
      const { providerInstanceId } = await created();
      await stand.provider.terminate(providerInstanceId);
      await stand.provider.terminate(providerInstanceId);
      expect(await stand.provider.read(providerInstanceId)).toBeNull();
    });

    it('tells of a machine that runs on although its end was acknowledged', async () => {
      const { providerInstanceId } = await created();
      faults().add('terminate', { kind: 'ignored' });
      await stand.provider.terminate(providerInstanceId);
      expect(await stand.provider.read(providerInstanceId)).not.toBeNull();
    });

    it('says so when a machine was taken away', async () => {
      const { providerInstanceId } = await created();
      stand.clock.advance(60_000);
      stand.simulator.market.preempt(providerInstanceId);
      const machine = await stand.provider.read(providerInstanceId);
      if (machine) expect(['preempted', 'failed']).toContain(machine.status);
    });

    it('is refused, and makes nothing, where nothing is left', async () => {
      const offer = await anOffer();
      if (stand.sellOut) stand.sellOut();
      else for (const one of stand.simulator.market.offers) one.stock = 0;
      const others = alive();
      const outcome = await stand.provider.create(request(offer));
      expect(outcome).toMatchObject({ kind: 'refused' });
      expect(['no_capacity', 'offer_gone']).toContain((outcome as { why: string }).why);
      expect(alive()).toEqual(others);
    });

    it('never calls a lost answer a refusal, and sends nothing twice', async () => {
      const offer = await anOffer();
      for (const fault of [
        { kind: 'answer_lost' },
        { kind: 'dropped' },
        { kind: 'slow', ms: 2000 },
        { kind: 'answer', status: 500, body: 'Internal Server Error', done: true },
        { kind: 'answer', status: 502, body: '<html>Bad Gateway</html>', done: true },
        { kind: 'answer', status: 200, body: '<html>Please wait</html>', done: true },
        { kind: 'answer', status: 200, body: '{"ok": true}', done: true },
        { kind: 'answer', status: 504, body: '', done: false },
      ] as const) {
        const before = stand.simulator.market.machines.length;
        faults().add('create', fault);
        await expect(stand.provider.create(request(offer)), JSON.stringify(fault)).rejects.toThrow();
        expect(stand.simulator.market.machines.length - before, JSON.stringify(fault)).toBeLessThanOrEqual(1);
        for (const machine of alive()) stand.simulator.market.end(machine.id);
      }
    });

    it('takes no listing for whole that is not', async () => {
      if (peculiar.unlisted) return;
      await created();
      for (const [fault, reason] of [
        [{ kind: 'answer', status: 500, body: 'oops', done: false }, 'unavailable'],
        [{ kind: 'answer', status: 200, body: '<html></html>', done: false }, 'unreadable'],
        [{ kind: 'answer', status: 200, body: '"none"', done: false }, 'unreadable'],
        [{ kind: 'answer', status: 200, body: '{}', done: false }, 'unreadable'],
        [
          { kind: 'answer', status: 410, body: '{"error": "this version is retired"}', done: false },
          'refused',
        ],
        [{ kind: 'answer', status: 429, body: 'too many', done: false }, 'rate_limited'],
        [{ kind: 'answer', status: 401, body: '{"error": "who are you"}', done: false }, 'unauthorized'],
        [{ kind: 'dropped' }, 'unavailable'],
      ] as const) {
        faults().add('list', fault);
        expect(await reasonOf(stand.provider.list()), JSON.stringify(fault)).toBe(reason);
      }
    });

    it('takes no failed read for "none such"', async () => {
      const { providerInstanceId } = await created();
      for (const fault of [
        { kind: 'answer', status: 500, body: 'oops', done: false },
        { kind: 'answer', status: 401, body: '{"error": "who are you"}', done: false },
        { kind: 'answer', status: 200, body: '<html></html>', done: false },
        { kind: 'answer', status: 404, body: '<html>nginx: not found</html>', done: false },
        { kind: 'answer', status: 429, body: 'too many', done: false },
        { kind: 'dropped' },
      ] as const) {
        faults().add('read', fault);
        await expect(stand.provider.read(providerInstanceId), JSON.stringify(fault)).rejects.toThrow(
          ProviderError,
        );
      }
    });

    it('takes no failed end for an end', async () => {
      const { providerInstanceId } = await created();
      for (const fault of [
        { kind: 'answer', status: 500, body: 'oops', done: false },
        { kind: 'answer', status: 429, body: 'too many', done: false },
        { kind: 'answer', status: 403, body: '{"error": "not with this key"}', done: false },
        { kind: 'dropped' },
      ] as const) {
        faults().add('terminate', fault);
        await expect(stand.provider.terminate(providerInstanceId), JSON.stringify(fault)).rejects.toThrow();
      }
      expect(alive()).toHaveLength(1);
    });

    it('says that a key is not taken', async () => {
      const offer = await anOffer();
      const { providerInstanceId } = await created(Promise.resolve(offer));
      if (!peculiar.unlisted) expect(await reasonOf(stand.strangers.list())).toBe('unauthorized');
      expect(await reasonOf(stand.strangers.read(providerInstanceId))).toBe('unauthorized');
      expect(await reasonOf(stand.strangers.terminate(providerInstanceId))).toBe('unauthorized');
      const outcome = await stand.strangers.create(request(offer));
      expect(outcome).toMatchObject({ kind: 'refused', why: 'unauthorized' });
    });

    it('tells what was billed', async () => {
      const { providerInstanceId, priceMicrodollarsPerHour } = await created();
      stand.clock.advance(3_600_000);
      await stand.provider.terminate(providerInstanceId);
      const billed = await stand.provider.costs(new Date(stand.clock.nowMs() - 7_200_000));
      const mine = billed.find((one) => one.providerInstanceId === providerInstanceId);
      if (!mine) return;
      expect(mine.microdollars / priceMicrodollarsPerHour).toBeCloseTo(1, 1);
    });

    it('lets no key and no password into an error', async () => {
      for (const call of ['list', 'read', 'terminate', 'create'] as const)
        faults().add(call, { kind: 'answer', status: 500, body: 'oops', done: false });
      const wanted = request(await anOffer());
      const errors = await Promise.all(
        [
          peculiar.unlisted ? Promise.reject(new Error('no list')) : stand.provider.list(),
          stand.provider.read('x'),
          stand.provider.terminate('x'),
          stand.provider.create(wanted),
        ].map((call) => Promise.resolve(call).then(String, (error: unknown) => String(error))),
      );
      for (const text of errors) {
        expect(text).not.toContain('key-of-the-tests');
        expect(text).not.toContain('p%40');
      }
    });
  });
}

export { accountKey } from './simulator/server.ts';
