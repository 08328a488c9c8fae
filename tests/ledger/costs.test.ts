import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordCharges } from '../../functions/core/ledger/charges.ts';
import { readWaste, wasteOf } from '../../functions/core/ledger/waste.ts';
import { insertJob } from '../database/fresh.ts';
import { type System, startSystem } from '../jobs/system.ts';
import { insertAttempt, insertRented } from './rented.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

/** A job whose machine cost a dollar an hour for 1000 s, of which it worked 600, and is gone. */
async function charged(goneAgo: number, provider: string): Promise<string> {
  const { sql } = system.core;
  const jobId = await insertJob(sql);
  const at = (second: number) => goneAgo + 1000 - second;
  const instanceId = await insertRented(sql, {
    ...{ requestedAgo: at(0), startedAgo: at(200), readyAgo: at(300), terminatingAgo: at(900), goneAgo },
    ...{ pricePerHour: 3_600_000, rentedFor: jobId, provider },
  });
  await insertAttempt(sql, { jobId, instanceId, startedAgo: at(300), endedAgo: at(900) });
  await sql.begin((tx) => recordCharges(tx, instanceId));
  return jobId;
}

describe('what was paid for', () => {
  it('is shown with each job, by phase, once its machine is gone', async () => {
    const waiting = await insertJob(system.core.sql);
    expect((await system.api('GET', `/${waiting}`)).body.charges).toBeNull();
    const jobId = await charged(86_400 * 40, 'vast');
    const { body } = await system.api('GET', `/${jobId}`);
    expect(body).toMatchObject({
      costMicrodollars: 1_000_000,
      charges: {
        phases: [
          { phase: 'boot', durationMs: 200_000, microdollars: 200_000 },
          { phase: 'load', durationMs: 100_000, microdollars: 100_000 },
          { phase: 'work', durationMs: 600_000, microdollars: 600_000 },
          { phase: 'drain', durationMs: 100_000, microdollars: 100_000 },
        ],
        microdollars: 1_000_000,
        wasteShare: 0.4,
      },
    });
  });

  it('adds up by day and provider, with what the estimates were worth and what still runs', async () => {
    const { sql } = system.core;
    const day = 86_400;
    const [a, b] = [await charged(2 * day, 'vast'), await charged(day, 'salad')];
    await charged(3 * day, 'salad');
    await sql`update jobs set attempt = 1, state = 'assigned', instance_id = (select instance_id from instances limit 1)
              where job_id in (${a}, ${b})`;
    await sql`update jobs set state = 'running' where job_id in (${a}, ${b})`;
    await sql`update jobs set state = 'succeeded', instance_id = null where job_id in (${a}, ${b})`;
    await sql`update jobs set quote = '{"expectedMicrodollars": 900000}' where job_id = ${a}`;
    await sql`update jobs set quote = '{"expectedMicrodollars": 1300000}' where job_id = ${b}`;
    const living = await insertJob(sql);
    await insertRented(sql, { requestedAgo: 50, pricePerHour: 3_600_000, rentedFor: living });
    const theirs = await charged(day, 'vast');
    await system.database.admin`update charges set user_id = ${'7'.repeat(26)} where job_id = ${theirs}`;

    const { status, body } = await system.api('GET', '/costs');
    expect(status).toBe(200);
    expect(body.microdollars).toBe(3_000_000);
    expect(body.accruedMicrodollars).toBeGreaterThanOrEqual(50_000);
    expect(body.days.map((one: { microdollars: number }) => one.microdollars)).toEqual([
      1_000_000, 1_000_000, 1_000_000,
    ]);
    expect(body.providers).toEqual([
      { provider: 'salad', instances: 2, microdollars: 2_000_000 },
      { provider: 'vast', instances: 1, microdollars: 1_000_000 },
    ]);
    expect(body.waste.wasteShare).toBeCloseTo(0.4);
    expect(body.estimates).toMatchObject({
      jobs: 2,
      expectedMicrodollars: 2_200_000,
      actualMicrodollars: 2_000_000,
    });
    expect(body.estimates.medianError).toBeCloseTo(0.2);
    expect(body.estimates.p90Error).toBeCloseTo(0.28);

    const since = new Date(Date.now() - 1.5 * day * 1000).toISOString();
    const lately = await system.api('GET', '/costs', { query: { since } });
    expect(lately.body).toMatchObject({ since, microdollars: 1_000_000 });
    expect((await system.api('GET', '/costs', { query: { since: 'yesterday' } })).status).toBe(400);
    // Everybody's, for those who run it.
    expect((await readWaste(sql, { since: new Date(since) })).microdollars).toBe(2_000_000);
  });

  it('counts time where machines cost nothing, leaves traffic out, and nothing is no share', () => {
    const sum = (phase: 'work' | 'boot' | 'traffic', durationMs: number, microdollars: number) => ({
      phase,
      durationMs,
      microdollars,
    });
    expect(wasteOf([sum('work', 30, 0), sum('boot', 10, 0)])).toMatchObject({
      wasteShare: 0.25,
      microdollars: 0,
    });
    expect(wasteOf([sum('traffic', 0, 900), sum('work', 1, 50), sum('boot', 9, 50)])).toMatchObject({
      wasteShare: 0.5,
      microdollars: 1000,
    });
    expect(wasteOf([]).wasteShare).toBeNull();
  });
});
