/** GET /function/jobs/metrics against a real Postgres: what it tells, who may ask, and how it is written. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../functions/core/database.ts';
import { scramVerifier } from '../../functions/core/instances/credentials.ts';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { recordCharges } from '../../functions/core/ledger/charges.ts';
import { exposition } from '../../functions/core/metrics/exposition.ts';
import { foldTallies } from '../../functions/core/metrics/tallies.ts';
import orchestrate from '../../functions/orchestrate/handler.ts';
import { assignJob, insertInstance, insertJob } from '../database/fresh.ts';
import { call } from '../http/call.ts';
import { type System, startSystem } from '../jobs/system.ts';
import { parseExposition } from './exposition-parser.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

const scrape = async () => {
  const { status, body } = await system.api('GET', '/metrics');
  expect(status).toBe(200);
  return parseExposition(body);
};

describe('who may ask', () => {
  it('is nobody without a token, and not the connector', async () => {
    expect((await system.api('GET', '/metrics', { token: null })).status).toBe(401);
    expect((await system.api('GET', '/metrics', { token: 'token-of-the-connector' })).status).toBe(403);
  });

  it('is whoever holds the token of metrics, which opens nothing else', async () => {
    const token = 'token-of-prometheus';
    expect((await system.api('GET', '/metrics', { token })).status).toBe(401);
    await writeFile(join(system.core.config.AIMA_SECRETS_DIR, 'metrics-token'), token);
    expect((await system.api('GET', '/metrics', { token })).status).toBe(200);
    expect((await system.api('GET', '/', { token })).status).toBe(403);
    const headers = { authorization: `Bearer ${token}` };
    expect((await call(orchestrate, 'POST', '/hold', { headers })).status).toBe(403);
    expect((await call(orchestrate, 'GET', '/', { headers })).status).toBe(403);
  });
});

describe('the answer', () => {
  it('is text of version 0.0.4, each family with its help and type before it', async () => {
    const { headers, body } = await system.api('GET', '/metrics');
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const { families } = parseExposition(body);
    expect(families.size).toBeGreaterThan(20);
    for (const [name, { type, help }] of families) {
      expect(name).toMatch(/^aima_[a-z_]+$/);
      expect(help.length).toBeGreaterThan(10);
      expect(name.endsWith('_total'), name).toBe(type === 'counter');
    }
  });

  it('counts jobs from the queue to their end, also when they are deleted', async () => {
    const { core } = system;
    const before = await scrape();
    const jobId = await insertJob(core.sql);
    await core.sql`update jobs set queued_at = now() - interval '90 seconds' where job_id = ${jobId}`;
    const waiting = await scrape();
    expect(waiting.value('aima_jobs', { state: 'queued' })).toBe(
      before.value('aima_jobs', { state: 'queued' })! + 1,
    );
    expect(waiting.value('aima_queue_age_seconds')).toBeGreaterThan(89);

    const instanceId = await insertInstance(core.sql, 'ready');
    await assignJob(core.sql, jobId, instanceId);
    await core.sql`update jobs set state = 'running', attempt = 1 where job_id = ${jobId}`;
    const running = await scrape();
    expect(running.value('aima_jobs', { state: 'running' })).toBe(1);
    expect(running.value('aima_instances', { provider: 'local', state: 'ready' })).toBe(1);
    expect(running.value('aima_instances_price_dollars_per_hour', { provider: 'local' })).toBe(0.36);
    expect(running.value('aima_instances_idle', { provider: 'local' })).toBe(0);

    await core.sql`update jobs set state = 'failed', error_code = 'internal', instance_id = null where job_id = ${jobId}`;
    await settleJobs(core, { jobId });
    const settled = await scrape();
    const failed = { state: 'failed' };
    expect(settled.value('aima_jobs_settled_total', failed)).toBe(
      before.value('aima_jobs_settled_total', failed)! + 1,
    );
    expect(settled.value('aima_phase_seconds_bucket', { phase: 'queued', le: '60' })).toBe(0);
    expect(settled.value('aima_phase_seconds_bucket', { phase: 'queued', le: '120' })).toBe(1);
    expect(settled.value('aima_phase_seconds_sum', { phase: 'queued' })).toBeGreaterThan(89);
    expect(settled.value('aima_phase_seconds_count', { phase: 'running' })).toBe(1);
    expect(settled.value('aima_instances_idle', { provider: 'local' })).toBe(1);
    expect(settled.value('aima_instances_idle_price_dollars_per_hour', { provider: 'local' })).toBe(0.36);

    await core.sql`delete from jobs where job_id = ${jobId}`;
    await foldTallies(core.sql);
    const folded = await scrape();
    for (const name of ['aima_jobs_settled_total', 'aima_phase_seconds_bucket', 'aima_phase_seconds_sum'])
      expect(folded.all(name)).toEqual(settled.all(name));
    const [left] = await core.sql`select count(*)::int as count from tally_log`;
    expect(left).toEqual({ count: 0 });
    await foldTallies(core.sql);
    expect((await scrape()).all('aima_phase_seconds_sum')).toEqual(settled.all('aima_phase_seconds_sum'));
  });

  it('is not kept waiting by a worker that holds its transaction open', async () => {
    const { core, database } = system;
    const instanceId = await insertInstance(core.sql);
    await core.sql`select open_worker_login(${instanceId}, ${scramVerifier('secret')}, now() + interval '1 hour')`;
    const worker = connect(database.url(`aima_worker_${instanceId}`, 'secret'), { max: 1 });
    const before = await scrape();
    const ready = { phase: 'booting' };
    await worker.begin(async (tx) => {
      await tx`select worker.hello('{"version": "test"}')`;
      const other = await insertInstance(core.sql, 'ready');
      await core.sql`update instances set state = 'terminating', reason = 'done' where instance_id = ${other}`;
      await core.sql`update instances set state = 'terminated', gone_at = now() where instance_id = ${other}`;
      await foldTallies(core.sql);
      const meanwhile = await scrape();
      expect(meanwhile.value('aima_instances_ended_total', { provider: 'local', reason: 'done' })).toBe(1);
      expect(meanwhile.value('aima_phase_seconds_count', ready)).toBe(
        before.value('aima_phase_seconds_count', ready)! + 1,
      );
      await expect(tx.savepoint((inner) => inner`select * from public.tally_log`)).rejects.toThrow(
        /permission denied/,
      );
    });
    expect((await scrape()).value('aima_phase_seconds_count', ready)).toBe(
      before.value('aima_phase_seconds_count', ready)! + 2,
    );
    await worker.end();
  });

  it('adds up paid time by phase when a machine is gone, and tells why it ended', async () => {
    const { core } = system;
    const instanceId = await insertInstance(core.sql, 'booting');
    await core.sql`
      update instances set price_microdollars_per_hour = 3600000, requested_at = now() - interval '100 seconds',
        provider_instance_id = 'machine-1' where instance_id = ${instanceId}`;
    await core.sql`update instances set state = 'terminating', reason = 'pull_timeout' where instance_id = ${instanceId}`;
    const before = await scrape();
    await core.sql.begin(async (tx) => {
      await tx`update instances set state = 'terminated', gone_at = clock_timestamp() where instance_id = ${instanceId}`;
      await recordCharges(tx, instanceId);
    });
    const after = await scrape();
    expect(after.value('aima_instances_ended_total', { provider: 'local', reason: 'pull_timeout' })).toBe(1);
    const seconds = after.sum('aima_billed_seconds_total') - before.sum('aima_billed_seconds_total');
    expect(seconds).toBeGreaterThan(99);
    expect(after.value('aima_billed_seconds_total', { phase: 'work' })).toBe(0);
    const dollars = after.sum('aima_billed_dollars_total') - before.sum('aima_billed_dollars_total');
    expect(dollars).toBeCloseTo(seconds / 1000, 4);
    expect(after.value('aima_spent_dollars', { period: 'month' })).toBeGreaterThanOrEqual(dollars - 1e-6);
    expect(after.value('aima_budget_dollars', { period: 'day' })).toBe(10);
  });

  it('shows machines that should be gone or may be there', async () => {
    const { core } = system;
    const before = await scrape();
    const lingering = await insertInstance(core.sql, 'booting');
    await core.sql`update instances set state = 'terminating', reason = 'done' where instance_id = ${lingering}`;
    await core.sql`update instances set terminating_at = now() - interval '20 minutes' where instance_id = ${lingering}`;
    await insertInstance(core.sql, 'in_doubt');
    await core.sql`
      insert into alerts (key, severity, text) values ('machine:vast/7:not_gone', 'critical', 'It is still there.')`;
    const after = await scrape();
    for (const kind of ['lingering', 'unknown', 'in_doubt'])
      expect(after.value('aima_leaks', { kind }), kind).toBe(before.value('aima_leaks', { kind })! + 1);
    expect(after.value('aima_ending_age_seconds')).toBeGreaterThan(1199);
    expect(after.value('aima_alerts_open', { severity: 'critical' })).toBe(1);
    expect(after.value('aima_alerts_untold')).toBe(1);
  });

  it('tells of sweeps, providers, callbacks, database and disk', async () => {
    const { core } = system;
    await core.sql`update sweeps set finished_at = now() - interval '400 seconds', failing = '{billing}' where name = 'leases'`;
    await core.sql`
      insert into providers (provider, paused_until_at, pause_reason, failures, listed_at, machines)
      values ('vast', now() + interval '1 minute', 'does not answer', 4, now() - interval '1 hour', 1)`;
    const jobId = await insertJob(core.sql);
    await core.sql`insert into webhooks (job_id, url, tries, next_try_at) values (${jobId}, 'https://example.org', 8, null)`;
    const { value } = await scrape();
    expect(value('aima_sweep_lag_seconds', { sweep: 'leases' })).toBeGreaterThan(399);
    expect(value('aima_sweep_failing_steps', { sweep: 'leases' })).toBe(1);
    expect(value('aima_sweep_failing_steps', { sweep: 'jobs' })).toBe(0);
    expect(value('aima_provider_paused', { provider: 'vast' })).toBe(1);
    expect(value('aima_provider_failures', { provider: 'vast' })).toBe(4);
    expect(value('aima_provider_list_age_seconds', { provider: 'vast' })).toBeGreaterThan(3599);
    expect(value('aima_provider_paused', { provider: 'local' })).toBe(0);
    expect(value('aima_webhooks_undelivered', { state: 'given_up' })).toBe(1);
    expect(value('aima_database_size_bytes')).toBeGreaterThan(1e6);
    expect(value('aima_disk_size_bytes')).toBeGreaterThan(value('aima_disk_free_bytes')!);
  });
});

it('escapes what a label holds, and leaves families without samples out', () => {
  const text = exposition([
    {
      name: 'a_total',
      type: 'counter',
      help: 'One \\ two\nthree',
      samples: [{ labels: { x: 'a"b\\c\nd' }, value: 1.5 }],
    },
    { name: 'b', type: 'gauge', help: 'Nothing', samples: [] },
    {
      name: 'c',
      type: 'histogram',
      help: 'How long',
      series: [
        {
          labels: { p: 'q' },
          buckets: [
            { bound: 1, count: 2 },
            { bound: 5, count: 3 },
          ],
          above: 4,
          sum: 60,
        },
      ],
    },
  ]);
  expect(text.split('\n')).toEqual([
    '# HELP a_total One \\\\ two\\nthree',
    '# TYPE a_total counter',
    'a_total{x="a\\"b\\\\c\\nd"} 1.5',
    '# HELP c How long',
    '# TYPE c histogram',
    'c_bucket{p="q",le="1"} 2',
    'c_bucket{p="q",le="5"} 5',
    'c_bucket{p="q",le="+Inf"} 9',
    'c_sum{p="q"} 60',
    'c_count{p="q"} 9',
    '',
  ]);
});
