import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from '../../functions/core/config.ts';
import type { Core } from '../../functions/core/core.ts';
import { scramVerifier } from '../../functions/core/instances/credentials.ts';
import { enforceBudgets, limitsOf } from '../../functions/core/ledger/budgets.ts';
import { openServer, type Server, Superseded } from '../../gpu-worker/lease/server.ts';
import { assignJob, insertJob } from '../database/fresh.ts';
import { segment } from '../jobs/rows.ts';
import { type System, startSystem } from '../jobs/system.ts';
import { insertAttempt, insertRented } from './rented.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterEach(async () => {
  await system.database.admin`truncate instances, charges, attempts, jobs, alerts cascade`;
});
afterAll(() => system.stop());

const life = new AbortController();
afterAll(() => life.abort());

const owner = '0'.repeat(26);
const limits = {
  AIMA_MAX_DOLLARS_PER_DAY: 10_000_000,
  AIMA_MAX_DOLLARS_PER_MONTH: 20_000_000,
  AIMA_MAX_DOLLARS_PER_USER_PER_DAY: 10_000_000,
};

/** The same system with other limits. */
function limited(more: Partial<Config>): Core {
  const { sql, bucket, publisher, providers, config } = system.core;
  return { sql, bucket, publisher, providers, config: { ...config, ...limits, ...more } };
}

/** A machine at a dollar an hour that has run for some seconds, and a job on it that its worker has just claimed. */
async function running(options: { ranSeconds: number; maxCostMicrodollars?: number; pricePerHour?: number }) {
  const { sql } = system.core;
  const jobId = await insertJob(sql);
  const instanceId = await insertRented(sql, {
    requestedAgo: options.ranSeconds,
    pricePerHour: options.pricePerHour ?? 1_000_000,
    rentedFor: jobId,
  });
  const server = await workerOf(instanceId);
  await assignJob(sql, jobId, instanceId);
  const job = (await server.claim())!;
  await sql`update jobs set max_cost_microdollars = ${options.maxCostMicrodollars ?? null} where job_id = ${jobId}`;
  return { jobId, instanceId, server, job };
}

async function workerOf(instanceId: string): Promise<Server> {
  await system.core
    .sql`select open_worker_login(${instanceId}, ${scramVerifier('secret')}, now() + interval '1 hour')`;
  const server = openServer(system.database.url(`aima_worker_${instanceId}`, 'secret'), life.signal);
  await server.hello({ version: 'test' });
  return server;
}

async function stateOf(jobId: string) {
  const [job] = await system.core
    .sql`select state, error_code, instance_id from jobs where job_id = ${jobId}`;
  return job!;
}

const warnings = (jobId: string) =>
  system.core.sql`select data from events where job_id = ${jobId} and type = 'job.budget_warning'`;

describe('the limit of a job, at its worker’s heartbeat', () => {
  it('is no matter while it is far', async () => {
    const { jobId, server } = await running({ ranSeconds: 360, maxCostMicrodollars: 1_000_000 });
    expect((await server.heartbeat()).jobs).toEqual([jobId]);
    expect(await warnings(jobId)).toEqual([]);
  });

  it('is warned of once at 80 %, with the boot counted', async () => {
    // 0.085 $ by now, all of it boot.
    const { jobId, server } = await running({ ranSeconds: 306, maxCostMicrodollars: 100_000 });
    for (let beat = 0; beat < 3; beat++) expect((await server.heartbeat()).jobs).toEqual([jobId]);
    const told = await warnings(jobId);
    expect(told).toEqual([{ data: { costMicrodollars: expect.any(Number), maxCostMicrodollars: 100_000 } }]);
    expect(told[0]!.data.costMicrodollars).toBeGreaterThanOrEqual(85_000);
  });

  it('stops it at 100 %: the worker hears that it is not its any more, and what it saved stays', async () => {
    const { jobId, server, job } = await running({ ranSeconds: 300, maxCostMicrodollars: 125_000 });
    await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 1000, rows: [segment('kept', 0)] });
    expect((await server.heartbeat()).jobs).toEqual([jobId]);
    await system.core.sql`update instances set requested_at = requested_at - interval '150 seconds'`;
    expect((await server.heartbeat()).jobs).toEqual([]);
    expect(await stateOf(jobId)).toEqual({ state: 'failed', errorCode: 'budget_exceeded', instanceId: null });
    await expect(server.savePart(job, 'transcribe', { fromMs: 1000, toMs: 2000, rows: [] })).rejects.toThrow(
      Superseded,
    );
    const [attempt] = await system.core.sql`
      select outcome, error_code, ended_at is not null as ended from attempts where job_id = ${jobId}`;
    expect(attempt).toEqual({ outcome: 'failed', errorCode: 'budget_exceeded', ended: true });
    expect(await system.core.sql`select to_ms from parts where job_id = ${jobId}`).toEqual([{ toMs: 1000 }]);
    const [{ cost }] = await system.core.sql<[{ cost: number }]>`select job_cost(${jobId}) as cost`;
    expect(cost).toBeGreaterThanOrEqual(125_000);
  });

  it('is not awaited on a machine so dear that the next heartbeat would come too late', async () => {
    // A cent a second, and its clock stands still where the test wants it.
    const dear = { ranSeconds: 1000, pricePerHour: 36_000_000, maxCostMicrodollars: 1_000_000 };
    const { jobId, server } = await running(dear);
    const stopAt = (seconds: number) =>
      system.core.sql`update instances set gone_at = requested_at + make_interval(secs => ${seconds})`;
    await stopAt(81);
    expect((await server.heartbeat()).jobs).toEqual([jobId]);
    await stopAt(83);
    expect((await server.heartbeat()).jobs).toEqual([]);
    const [job] = await system.core.sql`select error_code, error_detail from jobs where job_id = ${jobId}`;
    expect(job).toEqual({
      errorCode: 'budget_exceeded',
      errorDetail:
        'It has cost $0.8300, and at the price of its machine its limit of $1.0000 is only seconds away.',
    });
  });

  it('ends a job before it begins where the boot of its machine used it up', async () => {
    const { sql } = system.core;
    const [spent, free] = [await insertJob(sql), await insertJob(sql)];
    await sql`update jobs set max_cost_microdollars = 50000 where job_id = ${spent}`;
    const instanceId = await insertRented(sql, {
      requestedAgo: 400,
      pricePerHour: 1_000_000,
      rentedFor: spent,
    });
    const server = await workerOf(instanceId);
    await assignJob(sql, spent, instanceId);
    await assignJob(sql, free, instanceId);
    await server.heartbeat();
    expect((await server.claim())!.jobId).toBe(free);
    expect(await stateOf(spent)).toEqual({ state: 'failed', errorCode: 'budget_exceeded', instanceId: null });
  });

  it('is not what another job of the machine has used', async () => {
    const { jobId, instanceId, server } = await running({ ranSeconds: 3600, maxCostMicrodollars: 50_000 });
    const other = await insertJob(system.core.sql);
    await insertAttempt(system.core.sql, { jobId: other, instanceId, startedAgo: 3500, endedAgo: 10 });
    expect((await server.heartbeat()).jobs).toEqual([jobId]);
  });

  it('can be raised when it is retried, and is refused where it would stop at once', async () => {
    const { sql, bucket } = system.core;
    const { jobId, server } = await running({ ranSeconds: 400, maxCostMicrodollars: 100_000 });
    await bucket.write(`uploads/${jobId}/a.wav`, Buffer.from('sound'), 'audio/wav');
    const { etag, sizeBytes } = (await bucket.stat(`uploads/${jobId}/a.wav`))!;
    await sql`update media set etag = ${etag}, size_bytes = ${sizeBytes}, uploaded_at = now() where media_id = ${jobId}`;
    await server.heartbeat();
    const retry = (body: object) => system.api('POST', `/${jobId}/retry`, { body });
    const refused = await retry({});
    expect(refused.status).toBe(402);
    expect(refused.body).toMatchObject({
      code: 'budget_exceeded',
      detail: expect.stringMatching(/\$0\.11\d\d of at most \$0\.1000/),
    });
    expect((await retry({ maxCostMicrodollars: 90_000 })).status).toBe(402);
    const { status, body } = await retry({ maxCostMicrodollars: 500_000 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ state: 'queued', maxCostMicrodollars: 500_000 });
  });
});

describe('the sweep', () => {
  it('stops a job whose worker is silent, and one whose machine does not come up', async () => {
    const { sql } = system.core;
    const silent = await running({ ranSeconds: 400, maxCostMicrodollars: 100_000 });
    const booting = await insertJob(sql);
    await sql`update jobs set max_cost_microdollars = 100000 where job_id = ${booting}`;
    const machine = await insertRented(sql, {
      requestedAgo: 400,
      pricePerHour: 1_000_000,
      rentedFor: booting,
    });
    await assignJob(sql, booting, machine);
    await enforceBudgets(limited({}));
    for (const jobId of [silent.jobId, booting])
      expect(await stateOf(jobId)).toMatchObject({ state: 'failed', errorCode: 'budget_exceeded' });
    const settled = await sql`select job_id from jobs where settled_at is not null`;
    expect(settled).toHaveLength(2);
  });

  it('warns at 80 % of the day once, and stops all that costs money at 100 %', async () => {
    const { sql } = system.core;
    const paid = await running({ ranSeconds: 0, pricePerHour: 3_600_000 });
    const free = await running({ ranSeconds: 100, pricePerHour: 0 });
    const waiting = await insertJob(sql);
    await assignJob(sql, waiting, paid.instanceId);
    const alerts = () =>
      sql`select key, severity, resolved_at is not null as over from alerts order by alert_id`;
    const [{ accrued }] = await sql<[{ accrued: number }]>`select job_cost(${paid.jobId}) as accrued`;
    expect(accrued).toBeGreaterThan(0);

    const near = limited({ AIMA_MAX_DOLLARS_PER_DAY: 1_000_000_000_000 });
    expect(await enforceBudgets(near)).toEqual([]);
    expect(await alerts()).toEqual([]);

    const most = { AIMA_MAX_DOLLARS_PER_DAY: accrued };
    expect(await enforceBudgets(limited(most))).toEqual([paid.jobId]);
    expect(await stateOf(paid.jobId)).toMatchObject({ state: 'failed', errorCode: 'budget_exceeded' });
    expect(await stateOf(waiting)).toEqual({ state: 'queued', errorCode: null, instanceId: null });
    expect(await stateOf(free.jobId)).toMatchObject({ state: 'running' });
    const day = new Date().toISOString().slice(0, 10);
    expect(await enforceBudgets(limited(most))).toEqual([]);
    const told = await alerts();
    expect(told.filter(({ key }) => key.startsWith('budget:day'))).toEqual([
      { key: `budget:day:${day}`, severity: 'warning', over: false },
      { key: `budget:day:${day}:reached`, severity: 'critical', over: false },
    ]);
    // Raised, or the next day: it is over.
    await enforceBudgets(near);
    expect((await alerts()).every(({ over }) => over)).toBe(true);
  });

  it('stops only the jobs of the user whose day it is', async () => {
    const { sql } = system.core;
    const mine = await running({ ranSeconds: 100 });
    const theirs = await running({ ranSeconds: 100 });
    const stranger = owner.replace(/^./, '7');
    await system.database
      .admin`insert into users (user_id, name) values (${stranger}, 'stranger') on conflict do nothing`;
    await system.database.admin`update jobs set user_id = ${stranger} where job_id = ${theirs.jobId}`;
    await system.database
      .admin`update instances set price_microdollars_per_hour = 10 * price_microdollars_per_hour
                                where instance_id = ${theirs.instanceId}`;
    await sql`update instances set requested_at = now() - interval '5 seconds'`;
    // By now mine cost some 1,400 micro-dollars, and theirs ten times as much.
    const most = { AIMA_MAX_DOLLARS_PER_USER_PER_DAY: 13_000 };
    expect(await enforceBudgets(limited(most))).toEqual([theirs.jobId]);
    expect(await stateOf(mine.jobId)).toMatchObject({ state: 'running' });
  });
});

describe('limits', () => {
  const config = { ...limits } as Config;
  const spent = { todayMicrodollars: 0, monthMicrodollars: 0, todayByUser: {} };
  const on = (more: object) =>
    limitsOf({ ...spent, ...more }, config, new Date('2026-03-04T05:06:07Z')).map(
      ({ key, state, userId }) => [key, state, userId],
    );

  it('are near at 80 % and reached at 100 %', () => {
    expect(on({ todayMicrodollars: 7_999_999 })).toEqual([]);
    expect(on({ todayMicrodollars: 8_000_000 })).toEqual([['budget:day:2026-03-04', 'near', null]]);
    expect(on({ monthMicrodollars: 20_000_000 })).toEqual([['budget:month:2026-03', 'reached', null]]);
    expect(on({ todayByUser: { [owner]: 10_000_000 } })).toEqual([
      [`budget:user:${owner}:2026-03-04`, 'reached', owner],
    ]);
  });

  it('of nothing are not reached by nothing', () => {
    expect(limitsOf(spent, { ...config, AIMA_MAX_DOLLARS_PER_DAY: 0 }, new Date())).toEqual([]);
    expect(
      limitsOf({ ...spent, todayMicrodollars: 1 }, { ...config, AIMA_MAX_DOLLARS_PER_DAY: 0 }, new Date()),
    ).toMatchObject([{ state: 'reached' }]);
  });
});
