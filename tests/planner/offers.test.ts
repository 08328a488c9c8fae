import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { currentOffers, forgetOffer, takeStock, warmOffers } from '../../functions/core/planner/offers.ts';
import { type Stage, startStage } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
  vi.spyOn(console, 'error').mockImplementation(() => {});
});
afterAll(() => stage.stop());
beforeEach(() => stage.clear());

/** RunPod is asked once for each of its clouds. */
const questions = () =>
  stage.simulator.requests.filter((request) => request.path === '/v2/catalog/gpus').length / 2;
const look = () => currentOffers(stage.core);
const providerRow = async () => (await stage.sql`select * from providers`)[0];

describe('offers', () => {
  it('are asked for once, however many look, and again when they are a minute old', async () => {
    const [offers, ...others] = await Promise.all([look(), look(), look()]);
    expect(offers!.length).toBeGreaterThan(5);
    for (const other of others) expect(other).toEqual(offers);
    expect(questions()).toBe(1);
    expect(await look()).toEqual(offers);
    expect(questions()).toBe(1);
    await stage.ageOffers(61);
    expect(await look()).toEqual(offers);
    expect(questions()).toBe(2);
    expect(await providerRow()).toMatchObject({ failures: 0, pausedUntilAt: null });
  });

  it('of a provider that is slow are those it made last; its answer rings for the next look', async () => {
    const offers = await look();
    await stage.ageOffers(120);
    stage.simulator.market.offers[0]!.pricePerHour *= 2;
    stage.simulator.market.faults.add('offers', { kind: 'slow', ms: 3_000 }, 2);
    const rung = await stage.hear('aima/jobs/queued');
    expect(await look()).toEqual(offers);
    await rung();
    const later = await look();
    expect(later).not.toEqual(offers);
    expect(questions()).toBe(2);
    stage.simulator.market.offers[0]!.pricePerHour /= 2;
  });

  it('that are too old are no offers, and a failure is counted', async () => {
    await look();
    await stage.ageOffers(700);
    stage.simulator.market.faults.add('offers', { kind: 'answer', status: 500, body: 'no', done: false }, 2);
    expect(await look()).toEqual([]);
    expect(await providerRow()).toMatchObject({ failures: 1 });
    // The next answer that is one makes it good.
    expect((await look()).length).toBeGreaterThan(0);
    expect(await providerRow()).toMatchObject({ failures: 0 });
  });

  it('of a provider that fails or answers nonsense are those it made last', async () => {
    const offers = await look();
    await stage.ageOffers(120);
    stage.simulator.market.faults.add(
      'offers',
      { kind: 'answer', status: 200, body: '{"gpus": 3}', done: false },
      2,
    );
    expect(await look()).toEqual(offers);
    expect(await providerRow()).toMatchObject({ failures: 1 });
  });

  it('are not asked of a provider that is paused', async () => {
    await look();
    await stage.ageOffers(120);
    await stage.sql`update providers set paused_until_at = now() + interval '1 minute', pause_reason = 'asked too often'`;
    expect((await look()).length).toBeGreaterThan(0);
    expect(questions()).toBe(1);
  });

  it('tell a person when the key is not taken', async () => {
    stage.simulator.market.faults.add('offers', { kind: 'answer', status: 401, body: '{}', done: false }, 2);
    expect(await look()).toEqual([]);
    const alerts = await stage.sql`select key, severity from alerts where resolved_at is null`;
    expect(alerts).toEqual([{ key: 'provider:runpod-pods:unauthorized', severity: 'critical' }]);
  });

  it('lose what was refused, and count down what was rented', async () => {
    const [first, second, ...rest] = await look();
    await forgetOffer(stage.core, first!.provider, first!.offerId);
    await stage.core.sql.begin((tx) => takeStock(tx, second!));
    expect(await look()).toEqual([{ ...second!, available: Math.max(0, second!.available - 1) }, ...rest]);
    for (const one of [second!, ...rest]) await forgetOffer(stage.core, one.provider, one.offerId);
    expect(await look()).toEqual([]);
    expect(questions()).toBe(1);
  });

  it('are asked for ahead while something is on its way, and not otherwise', async () => {
    await warmOffers(stage.core);
    expect(questions()).toBe(0);
    await stage.queue({ state: 'awaiting_upload' });
    await warmOffers(stage.core);
    expect(questions()).toBe(1);
    await warmOffers(stage.core);
    expect(questions()).toBe(1);
    await stage.ageOffers(30);
    await warmOffers(stage.core);
    expect(questions()).toBe(2);
  });
});
