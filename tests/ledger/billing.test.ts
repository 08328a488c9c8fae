import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Core } from '../../functions/core/core.ts';
import { compareBilling, differs } from '../../functions/core/ledger/billing.ts';
import { recordCharges } from '../../functions/core/ledger/charges.ts';
import type { Provider } from '../../functions/core/providers/provider.ts';
import { runpodPods } from '../../functions/core/providers/runpod-pods.ts';
import { type FreshDatabase, freshDatabase } from '../database/fresh.ts';
import { type ManualClock, manualClock } from '../providers/simulator/clock.ts';
import { startRunpodPods } from '../providers/simulator/runpod-pods.ts';
import { accountKey, type Simulator } from '../providers/simulator/server.ts';
import { insertRented } from './rented.ts';

const hour = 3_600_000;

let database: FreshDatabase;
let clock: ManualClock;
let simulator: Simulator;
let provider: Provider;
beforeAll(async () => {
  database = await freshDatabase();
});
beforeEach(async () => {
  clock = manualClock(Date.now() - 6 * hour);
  simulator = await startRunpodPods({ clock });
  provider = runpodPods({
    ...{ url: simulator.url, apiKey: accountKey, image: 'worker:1', diskGb: 40, minCuda: 12.4 },
    ...{ clouds: ['SECURE', 'COMMUNITY'], timeoutMs: 5000 },
  });
});
afterEach(async () => {
  await simulator.close();
  await database.admin`truncate instances, charges, alerts, settings cascade`;
});
afterAll(() => database.close());

const compare = () =>
  compareBilling({
    sql: database.functions,
    providers: new Map([[provider.name, provider]]),
  } as unknown as Core);
const anHourLater = () =>
  database.functions`update settings set value = to_jsonb(now() - interval '61 minutes')`;
const alerts = () =>
  database.functions`select key, severity, data, resolved_at is not null as over from alerts order by alert_id`;

/** A pod that ran for an hour from six hours ago, and what the ledger has of it. */
async function pod(ledger: { hours: number; gone?: boolean }): Promise<{ instanceId: string; cost: number }> {
  const sql = database.functions;
  const [offer] = (await provider.offers()).filter(({ available }) => available > 0);
  const made = await provider.create({
    ...{ label: `aima-tests0-${Math.random()}`, offer: offer!, environment: {} },
    ...{ deadlineAt: new Date(clock.nowMs() + 6 * hour), maxCostMicrodollars: 10_000_000 },
  });
  if (made.kind !== 'created') throw new Error('no pod');
  clock.advance(hour);
  if (ledger.gone ?? true) await provider.terminate(made.providerInstanceId);
  const requestedAgo = 6 * 3600;
  const goneAgo = requestedAgo - ledger.hours * 3600;
  const instanceId = await insertRented(sql, {
    ...{ requestedAgo, provider: 'runpod-pods', providerInstanceId: made.providerInstanceId },
    ...{
      pricePerHour: made.priceMicrodollarsPerHour,
      ...((ledger.gone ?? true) ? { terminatingAgo: goneAgo, goneAgo } : {}),
    },
  });
  if (ledger.gone ?? true) await sql.begin((tx) => recordCharges(tx, instanceId));
  const [row] = await sql<{ cost: number }[]>`
    select cost_microdollars as cost from instances where instance_id = ${instanceId}`;
  return { instanceId, cost: row!.cost };
}

const billed = async (instanceId: string) =>
  (
    await database.functions`
      select billed_microdollars, billed_at is not null as at from instances where instance_id = ${instanceId}`
  )[0]!;

describe('the comparison with the provider’s bill', () => {
  it('is made once an hour and keeps what was billed; no difference is no alert', async () => {
    const { instanceId, cost } = await pod({ hours: 1 });
    expect(await compare()).toEqual(['runpod-pods']);
    const { billedMicrodollars, at } = await billed(instanceId);
    expect(at).toBe(true);
    expect(Math.abs(billedMicrodollars - cost)).toBeLessThan(cost * 0.01);
    expect(await alerts()).toEqual([]);
    expect(await compare()).toEqual([]);
    await anHourLater();
    expect(await compare()).toEqual(['runpod-pods']);
  });

  it('tells a difference once for each instance, and that it is over', async () => {
    const { instanceId, cost } = await pod({ hours: 0.5 });
    await compare();
    const told = await alerts();
    expect(told).toMatchObject([
      {
        ...{ key: `instance:${instanceId}:billing`, severity: 'warning', over: false },
        data: { provider: 'runpod-pods', instanceId, costMicrodollars: cost },
      },
    ]);
    await anHourLater();
    await compare();
    expect(await alerts()).toEqual(told);
    await database.functions`update instances set cost_microdollars = billed_microdollars where instance_id = ${instanceId}`;
    await anHourLater();
    await compare();
    expect(await alerts()).toMatchObject([{ over: true }]);
    await database.functions`update instances set cost_microdollars = 1 where instance_id = ${instanceId}`;
    await anHourLater();
    await compare();
    expect(await alerts()).toHaveLength(1);
  });

  it('reads a living machine’s bill too, which may be behind', async () => {
    const { instanceId } = await pod({ hours: 1, gone: false });
    await compare();
    expect((await billed(instanceId)).billedMicrodollars).toBeGreaterThan(0);
    expect(await alerts()).toEqual([]);
  });

  it('concludes nothing from a provider that does not answer', async () => {
    const { instanceId } = await pod({ hours: 0.5 });
    await simulator.close();
    expect(await compare()).toEqual([]);
    expect(await billed(instanceId)).toEqual({ billedMicrodollars: null, at: false });
    expect(await alerts()).toEqual([]);
  });
});

describe('a difference', () => {
  const row = (costMicrodollars: number, billedMicrodollars: number, goneForMs: number | null) =>
    differs({ costMicrodollars, billedMicrodollars, goneForMs });

  it('is one from 10 % and a cent on', () => {
    expect(row(1_000_000, 1_100_000, hour)).toBe(false);
    expect(row(1_000_000, 1_100_001, hour)).toBe(true);
    expect(row(10_000, 20_000, hour)).toBe(false);
    expect(row(10_000, 20_001, hour)).toBe(true);
  });

  it('in our favour is only odd when the bill should be complete', () => {
    expect(row(1_000_000, 0, null)).toBe(false);
    expect(row(1_000_000, 0, hour)).toBe(false);
    expect(row(1_000_000, 0, 4 * hour)).toBe(true);
  });
});
