import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sql } from '../../functions/core/database.ts';
import { recordCharges } from '../../functions/core/ledger/charges.ts';
import { type FreshDatabase, freshDatabase, insertJob } from '../database/fresh.ts';
import { insertAttempt, insertRented } from './rented.ts';

let database: FreshDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await freshDatabase();
  sql = database.functions;
});
afterAll(() => database.close());

const charge = (instanceId: string) => sql.begin((tx) => recordCharges(tx, instanceId));

async function costs(jobId: string) {
  const [job] = await sql<{ noted: number; now: number }[]>`
    select cost_microdollars as noted, job_cost(job_id) as now from jobs where job_id = ${jobId}`;
  return job!;
}

const chargesOf = (instanceId: string) =>
  sql`select job_id, phase, duration_ms, microdollars from charges where instance_id = ${instanceId} order by phase`;

describe('charges', () => {
  it('are written once when the instance is gone, and are the cost of instance, attempt and job', async () => {
    const jobId = await insertJob(sql);
    const rented = { requestedAgo: 400, startedAgo: 340, readyAgo: 310, terminatingAgo: 12, goneAgo: 10 };
    const instanceId = await insertRented(sql, { ...rented, rentedFor: jobId });
    await insertAttempt(sql, { jobId, instanceId, startedAgo: 300, endedAgo: 20 });
    await charge(instanceId);
    expect(await chargesOf(instanceId)).toEqual([
      { jobId, phase: 'boot', durationMs: 60_000, microdollars: 60_000 },
      { jobId, phase: 'drain', durationMs: 10_000, microdollars: 10_000 },
      { jobId, phase: 'idle', durationMs: 10_000, microdollars: 10_000 },
      { jobId, phase: 'load', durationMs: 30_000, microdollars: 30_000 },
      { jobId, phase: 'work', durationMs: 280_000, microdollars: 280_000 },
    ]);
    const [instance] = await sql`select cost_microdollars, charged_at is not null as charged from instances
                                 where instance_id = ${instanceId}`;
    expect(instance).toEqual({ costMicrodollars: 390_000, charged: true });
    expect(await costs(jobId)).toEqual({ noted: 390_000, now: 390_000 });
    const [attempt] = await sql`select cost_microdollars from attempts where job_id = ${jobId}`;
    expect(attempt!.costMicrodollars).toBe(390_000);
    await charge(instanceId);
    expect(await chargesOf(instanceId)).toHaveLength(5);
  });

  it('are refused for an instance that is not gone', async () => {
    const instanceId = await insertRented(sql, { requestedAgo: 100, readyAgo: 50, terminatingAgo: 10 });
    await expect(charge(instanceId)).rejects.toThrow(/not gone/);
  });

  it('are nothing where no machine was ever seen, and where the provider’s clock never began to run', async () => {
    const jobId = await insertJob(sql);
    const ended = { requestedAgo: 100, terminatingAgo: 60, goneAgo: 10, rentedFor: jobId };
    for (const more of [{ providerInstanceId: null }, { offer: { billedFrom: 'start' as const } }]) {
      const instanceId = await insertRented(sql, { ...ended, ...more });
      await charge(instanceId);
      expect(await chargesOf(instanceId)).toEqual([]);
    }
    expect((await costs(jobId)).now).toBe(0);
  });

  it('begin with the container where the provider bills from there', async () => {
    const jobId = await insertJob(sql);
    const rented = {
      requestedAgo: 400,
      startedAgo: 100,
      readyAgo: 90,
      terminatingAgo: 50,
      goneAgo: 50,
      rentedFor: jobId,
    };
    const instanceId = await insertRented(sql, { ...rented, offer: { billedFrom: 'start' } });
    await sql`update instances set running_at = started_at - interval '20 seconds' where instance_id = ${instanceId}`;
    await charge(instanceId);
    expect((await costs(jobId)).now).toBe(70_000);
  });

  it('of two machines that one job needed add up, with what is not charged yet', async () => {
    const jobId = await insertJob(sql);
    const died = { requestedAgo: 100, terminatingAgo: 80, goneAgo: 80, rentedFor: jobId };
    const first = await insertRented(sql, died);
    await charge(first);
    expect(await costs(jobId)).toEqual({ noted: 20_000, now: 20_000 });
    const second = await insertRented(sql, { requestedAgo: 60, readyAgo: 30, rentedFor: jobId });
    await insertAttempt(sql, { jobId, instanceId: second, startedAgo: 30 });
    const { noted, now } = await costs(jobId);
    expect(noted).toBe(20_000);
    // What passed while the test ran is in it, and no more: its first 60 s are exact.
    expect(now).toBeGreaterThanOrEqual(80_000);
    expect(now).toBeLessThan(140_000);
  });

  it('and what has accrued before them split one instance over its jobs by the time each held it', async () => {
    const [a, b] = [await insertJob(sql), await insertJob(sql)];
    const rented = { requestedAgo: 500, startedAgo: 400, readyAgo: 400, terminatingAgo: 100 };
    const instanceId = await insertRented(sql, { ...rented, rentedFor: a });
    await insertAttempt(sql, { jobId: a, instanceId, startedAgo: 400, endedAgo: 200 });
    await insertAttempt(sql, { jobId: b, instanceId, startedAgo: 200, endedAgo: 100 });
    await sql`update instances set gone_at = requested_at + interval '450 seconds' where instance_id = ${instanceId}`;
    expect((await costs(a)).now).toBe(300_000);
    expect((await costs(b)).now).toBe(150_000);
    await sql`update instances set state = 'terminated' where instance_id = ${instanceId}`;
    await charge(instanceId);
    expect((await costs(a)).noted).toBe(300_000);
    expect((await costs(b)).noted).toBe(150_000);
  });

  it('name the traffic of each job', async () => {
    const jobId = await insertJob(sql);
    await sql`update media set size_bytes = 3000000000 where media_id = ${jobId}`;
    const rented = { requestedAgo: 100, readyAgo: 100, terminatingAgo: 50 };
    const offer = { trafficMicrodollarsPerGb: { in: 10_000, out: 0 } };
    const instanceId = await insertRented(sql, { ...rented, rentedFor: jobId, offer });
    await insertAttempt(sql, { jobId, instanceId, startedAgo: 90, endedAgo: 60 });
    await sql`update instances set gone_at = requested_at + interval '60 seconds' where instance_id = ${instanceId}`;
    expect((await costs(jobId)).now).toBe(90_000);
    await sql`update instances set state = 'terminated' where instance_id = ${instanceId}`;
    await charge(instanceId);
    expect((await costs(jobId)).noted).toBe(90_000);
    expect(await chargesOf(instanceId)).toContainEqual({
      jobId,
      phase: 'traffic',
      durationMs: 0,
      microdollars: 30_000,
    });
  });

  it('are written for a job that was deleted meanwhile, and its attempt goes with them', async () => {
    const [deleted, other] = [await insertJob(sql), await insertJob(sql)];
    const instanceId = await insertRented(sql, {
      requestedAgo: 300,
      startedAgo: 300,
      readyAgo: 300,
      terminatingAgo: 100,
    });
    await insertAttempt(sql, { jobId: deleted, instanceId, startedAgo: 300, endedAgo: 200 });
    await insertAttempt(sql, { jobId: other, instanceId, startedAgo: 200, endedAgo: 100 });
    await sql`delete from jobs where job_id = ${deleted}`;
    await sql`update instances set gone_at = requested_at + interval '200 seconds' where instance_id = ${instanceId}`;
    await sql`update instances set state = 'terminated' where instance_id = ${instanceId}`;
    await charge(instanceId);
    expect(
      await sql`select job_id, user_id, microdollars from charges where instance_id = ${instanceId} order by job_id`,
    ).toEqual([
      { jobId: deleted, userId: '0'.repeat(26), microdollars: 100_000 },
      { jobId: other, userId: '0'.repeat(26), microdollars: 100_000 },
    ]);
    expect(await sql`select job_id from attempts where instance_id = ${instanceId}`).toEqual([
      { jobId: other },
    ]);
    // Of what is charged, nothing has to be kept.
    await sql`delete from jobs where job_id = ${other}`;
    expect(await sql`select job_id from attempts where instance_id = ${instanceId}`).toEqual([]);
  });

  it('take what a worker reports of the transfer only where it can be read', async () => {
    for (const [run, phases] of [
      [{ transferMs: 4000 }, ['transfer', 'work']],
      [{ transferMs: '1e999' }, ['work']],
      [{ transferMs: 1e300 }, ['transfer']],
    ] as const) {
      const jobId = await insertJob(sql);
      const rented = { requestedAgo: 20, startedAgo: 20, readyAgo: 20, terminatingAgo: 10, goneAgo: 10 };
      const instanceId = await insertRented(sql, rented);
      await insertAttempt(sql, { jobId, instanceId, startedAgo: 20, endedAgo: 10 });
      await sql`update jobs set attempt = 1, run = ${sql.json(run)} where job_id = ${jobId}`;
      await charge(instanceId);
      expect((await chargesOf(instanceId)).map(({ phase }) => phase)).toEqual(phases);
    }
  });
});
