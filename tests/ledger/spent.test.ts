import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { recordCharges } from '../../functions/core/ledger/charges.ts';
import { readSpent } from '../../functions/core/ledger/spent.ts';
import { type FreshDatabase, freshDatabase, insertJob } from '../database/fresh.ts';
import { insertAttempt, insertRented } from './rented.ts';

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterEach(() => database.admin`truncate instances, charges, attempts cascade`);
afterAll(() => database.close());

const owner = '0'.repeat(26);
const spent = () => readSpent(database.functions);

/** How long this day and month have lasted by now, in seconds: what lies before is another one's. */
async function elapsed(): Promise<{ day: number; month: number }> {
  const [row] = await database.functions<{ day: number; month: number }[]>`
    select extract(epoch from now() - date_trunc('day', now(), 'UTC'))::float8 as day,
      extract(epoch from now() - date_trunc('month', now(), 'UTC'))::float8 as month`;
  return row!;
}

it('is nothing in an empty ledger', async () => {
  expect(await spent()).toEqual({ todayMicrodollars: 0, monthMicrodollars: 0, todayByUser: {} });
});

it('counts what is gone over the days and months that it lived in, to the micro-dollar', async () => {
  const sql = database.functions;
  const { day, month } = await elapsed();
  const jobId = await insertJob(sql);
  // Its last 7 s lie in this day, or in the last second before it ended where the day is younger than that.
  const goneAgo = Math.max(0, day - 7);
  const rented = { requestedAgo: goneAgo + 1000, readyAgo: goneAgo + 900, terminatingAgo: goneAgo, goneAgo };
  const instanceId = await insertRented(sql, { ...rented, rentedFor: jobId, pricePerHour: 1_234_567 });
  await insertAttempt(sql, { jobId, instanceId, startedAgo: goneAgo + 800, endedAgo: goneAgo });
  await sql.begin((tx) => recordCharges(tx, instanceId));
  const [whole] = await sql<{ cost: number; today: number; month: number }[]>`
    select cost_microdollars as cost,
      (price_microdollars_per_hour * extract(epoch from gone_at - date_trunc('day', now(), 'UTC')) / 3600)::float8 as today,
      (price_microdollars_per_hour * extract(epoch from gone_at - greatest(requested_at, date_trunc('month', now(), 'UTC'))) / 3600)::float8 as month
    from instances where instance_id = ${instanceId}`;
  const result = await spent();
  expect(Math.abs(result.todayMicrodollars - whole!.today)).toBeLessThan(2);
  expect(Math.abs(result.monthMicrodollars - whole!.month)).toBeLessThan(2);
  if (month > 1010) expect(result.monthMicrodollars).toBe(whole!.cost);
  expect(result.todayByUser).toEqual({ [owner]: result.todayMicrodollars });
});

it('leaves out what ended before, and what was refused', async () => {
  const sql = database.functions;
  const { month } = await elapsed();
  const goneAgo = month + 10;
  const old = await insertRented(sql, { requestedAgo: goneAgo + 100, terminatingAgo: goneAgo, goneAgo });
  await sql.begin((tx) => recordCharges(tx, old));
  const refused = await insertRented(sql, { requestedAgo: 1 });
  await sql`update instances set state = 'terminating' where instance_id = ${refused}`;
  await sql`update instances set state = 'terminated' where instance_id = ${refused}`;
  expect(await spent()).toEqual({ todayMicrodollars: 0, monthMicrodollars: 0, todayByUser: {} });
});

it('counts what lives as it has accrued, by the jobs that it worked on', async () => {
  const sql = database.functions;
  const { day } = await elapsed();
  const stranger = owner.replace(/^./, '7');
  await database.admin`insert into users (user_id, name) values (${stranger}, 'stranger')`;
  const [mine, strangers] = [await insertJob(sql), await insertJob(sql)];
  await database.admin`update jobs set user_id = ${stranger} where job_id = ${strangers}`;
  const instanceId = await insertRented(sql, { requestedAgo: 500, readyAgo: 400, terminatingAgo: 50 });
  await insertAttempt(sql, { jobId: mine, instanceId, startedAgo: 400, endedAgo: 100 });
  await insertAttempt(sql, { jobId: strangers, instanceId, startedAgo: 100, endedAgo: 0 });
  const { todayMicrodollars, monthMicrodollars, todayByUser } = await spent();
  expect(todayMicrodollars).toBeGreaterThanOrEqual(Math.min(500, Math.floor(day)) * 1000);
  expect(monthMicrodollars).toBeGreaterThanOrEqual(todayMicrodollars);
  // Each is reckoned at its own moment: a second is worth 1000 micro-dollars here.
  expect(Math.abs(todayByUser[owner]! / 3 - todayByUser[stranger]!)).toBeLessThan(1000);
  const sum = todayByUser[owner]! + todayByUser[stranger]!;
  expect(Math.abs(sum - todayMicrodollars)).toBeLessThan(1000);
});

it('reckons what lives, and takes the rest from what was charged', async () => {
  const sql = database.functions;
  const { day } = await elapsed();
  const jobId = await insertJob(sql);
  const goneAgo = Math.min(1, day / 10);
  const within = {
    requestedAgo: day / 2,
    readyAgo: day / 3,
    terminatingAgo: goneAgo,
    goneAgo,
    rentedFor: jobId,
  };
  const dear = {
    offer: { trafficMicrodollarsPerGb: { in: 1_000_000_000, out: 0 } },
    pricePerHour: 987_654_321,
  };
  await database.admin`update media set size_bytes = 1000000 where media_id = ${jobId}`;
  for (const [index, more] of [{}, dear].entries()) {
    const instanceId = await insertRented(sql, { ...within, ...more });
    await insertAttempt(sql, {
      jobId,
      instanceId,
      startedAgo: day / 3,
      endedAgo: goneAgo,
      attempt: index + 1,
    });
    await sql.begin((tx) => recordCharges(tx, instanceId));
  }
  await insertRented(sql, { requestedAgo: day / 2, rentedFor: jobId, pricePerHour: 0 });
  const [reckoned] = await sql<{ cost: number }[]>`
    select sum(cost_since(i, date_trunc('day', now(), 'UTC')))::bigint as cost from instances i`;
  const [result, calls] = await database.admin.begin(async (tx) => {
    await tx`set local track_functions = 'all'`;
    const found = await readSpent(tx);
    const [row] = await tx<{ calls: number }[]>`
      select coalesce(sum(calls), 0)::int as calls from pg_stat_xact_user_functions where funcname = 'cost_since'`;
    return [found, row!.calls];
  });
  expect(result.todayMicrodollars).toBe(reckoned!.cost);
  expect(result.todayByUser).toEqual({ [owner]: reckoned!.cost });
  // Today, this month, its user: of the one that lives. With thousands that are gone each look took seconds.
  expect(calls).toBe(3);
});
