/** A database with data of an earlier version, in every state, comes to the newest schema and works on. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, it } from 'vitest';
import { connect, type Sql } from '../../functions/core/database.ts';
import { newId } from '../../functions/core/ids.ts';
import { instanceTransitions } from '../../functions/core/instances/states.ts';
import { jobStates } from '../../functions/core/jobs/states.ts';
import { recordCharges } from '../../functions/core/ledger/charges.ts';
import { readSpent } from '../../functions/core/ledger/spent.ts';
import { readLearned } from '../../functions/core/planner/history.ts';
import { migrate } from '../../infra/postgres/migrate.ts';
import { functionsPassword } from './fresh.ts';

/** The last file of the version that rented nothing and knew no money. */
const lastBefore = '0006_deletions.sql';
const folder = fileURLToPath(new URL('../../infra/postgres/migrations/', import.meta.url));
const owner = '0'.repeat(26);
const hasInstance = (state: string) => state === 'assigned' || state === 'running';

const database = `test_${randomBytes(6).toString('hex')}`;
const superuserUrl = inject('postgresUrl');
const jobs = new Map<string, string>();
const instances = new Map<string, string>();
let applied: string[];
let admin: Sql;
let sql: Sql;

function address(user?: string, password?: string): string {
  const url = new URL(superuserUrl);
  url.pathname = `/${database}`;
  if (user) [url.username, url.password] = [user, password!];
  return url.href;
}

beforeAll(async () => {
  const superuser = new URL(superuserUrl);
  // Its roles belong to the whole server; a database beside the one that is tried makes them.
  await migrate({ superuserUrl, functionsPassword, database: `${database}_roles` });
  const server = postgres(superuserUrl, { max: 1, onnotice: () => {} });
  await server`create database ${server(database)} owner aima_owner`;
  await server.end();
  admin = connect(address(superuser.username, decodeURIComponent(superuser.password)), { max: 1 });
  await applyUpTo(lastBefore);
  await fill();
  applied = await migrate({ superuserUrl, functionsPassword, database });
  sql = connect(address('aima_functions', functionsPassword), { max: 2 });
});
afterAll(async () => {
  await Promise.all([admin.end(), sql?.end()]);
});

async function applyUpTo(last: string): Promise<void> {
  await admin`create schema migrations`;
  await admin`create table migrations.applied (name text primary key, applied_at timestamptz not null default now())`;
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql') && file <= last).sort();
  for (const name of files) {
    await admin.begin(async (tx) => {
      await tx`grant create on schema public to aima_owner`;
      await tx`set local role aima_owner`;
      await tx.unsafe(await readFile(folder + name, 'utf8')).simple();
      await tx`reset role`;
      await tx`insert into migrations.applied (name) values (${name})`;
    });
  }
}

/** A job and an instance in each state that there was, with what an earlier version wrote beside them. */
async function fill(): Promise<void> {
  await admin`set session_replication_role = replica`;
  for (const state of Object.keys(instanceTransitions).filter(Boolean)) {
    const instanceId = newId();
    instances.set(state, instanceId);
    await admin`
      insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, provider_instance_id,
        deadline_at, fence, worker, created_at, ready_at, heartbeat_at, terminating_at, terminated_at, next_look_at, cost_microdollars)
      values (${instanceId}, ${`aima-tests0-${instanceId}`}, 'local', ${state}, '{"speed": 1, "bootMs": 1500}', 3600000,
        ${state === 'requested' ? null : instanceId}, now() + interval '1 hour', 1, '{"version": "earlier"}', now(), now(), now(),
        case when ${state} like 'termin%' then now() end, case when ${state} = 'terminated' then now() end, now(), 40)`;
    await admin`insert into events (type, instance_id) values (${`instance.${state}`}, ${instanceId})`;
  }
  for (const state of jobStates.filter((one) => one !== 'split')) {
    const jobId = newId();
    jobs.set(state, jobId);
    const instanceId = instances.get(state === 'assigned' ? 'booting' : 'ready')!;
    await admin`insert into batches (batch_id, user_id) values (${jobId}, ${owner})`;
    await admin`insert into media (media_id, user_id, object_key, name, kind, duration_ms, size_bytes)
      values (${jobId}, ${owner}, ${`uploads/${jobId}/a.wav`}, 'a.wav', 'audio', 60000, 1000)`;
    await admin`insert into jobs (job_id, user_id, batch_id, media_id, state, analyses, attempt, fence, queued_at, max_cost_microdollars, instance_id)
      values (${jobId}, ${owner}, ${jobId}, ${jobId}, ${state}, '{transcribe}', 1, 1, now(), 1000000,
        ${hasInstance(state) ? instanceId : null})`;
    await admin`insert into events (type, job_id) values (${`job.${state}`}, ${jobId})`;
    await admin`insert into attempts (job_id, attempt, instance_id, fence, ended_at, outcome)
      values (${jobId}, 1, ${instances.get(state === 'running' ? 'ready' : 'terminated')!}, 1,
        case when ${state} <> 'running' then now() end, case when ${state} <> 'running' then 'succeeded' end)`;
    await admin`insert into job_access (job_id, get_url, post_url, post_fields, expires_at)
      values (${jobId}, 'http://127.0.0.1/get', 'http://127.0.0.1/post', '{}', now() + interval '1 hour')`;
    await admin`insert into parts (job_id, analyzer, from_ms, to_ms, fence) values (${jobId}, 'transcribe', 0, 1000, 1)`;
  }
  await admin`set session_replication_role = origin`;
}

it('takes every later file and keeps every row', async () => {
  expect(applied[0]).toMatch(/^0007/);
  const [kept] = await sql`
    select (select count(*) from jobs)::int as jobs, (select count(*) from instances)::int as instances,
      (select count(*) from attempts)::int as attempts, (select count(*) from job_access where result_prefix like 'results/%/')::int as access`;
  expect(kept).toEqual({
    jobs: jobs.size,
    instances: instances.size,
    attempts: jobs.size,
    access: jobs.size,
  });
  const states = await sql<{ jobId: string; state: string }[]>`select job_id, state from jobs`;
  expect(new Map(states.map(({ jobId, state }) => [state, jobId]))).toEqual(jobs);
});

it('reckons and learns from what ran before there was a ledger', async () => {
  const { todayMicrodollars, todayByUser } = await readSpent(sql);
  expect(todayMicrodollars).toBeGreaterThanOrEqual(0);
  expect(Object.values(todayByUser).every((one) => one >= 0)).toBe(true);
  await readLearned(sql);
  for (const jobId of jobs.values()) {
    const [row] = await sql<{ cost: number }[]>`select job_cost(${jobId}) as cost`;
    expect(row!.cost).toBeGreaterThanOrEqual(0);
    await sql`select check_budget(${jobId})`;
  }
});

it('ends leases that lived through it, and charges them', async () => {
  for (const state of ['requested', 'in_doubt', 'booting', 'ready', 'terminating']) {
    const instanceId = instances.get(state)!;
    await sql.begin(async (tx) => {
      await tx`select release_jobs(${instanceId}, 'ended', false)`;
      if (state !== 'terminating')
        await tx`update instances set state = 'terminating', reason = 'asked' where instance_id = ${instanceId}`;
      await tx`
        update instances set state = 'terminated', gone_at = clock_timestamp() where instance_id = ${instanceId}`;
      await recordCharges(tx, instanceId);
    });
  }
  const rows = await sql<{ state: string }[]>`select state from jobs where job_id = any (${[
    jobs.get('assigned')!,
    jobs.get('running')!,
  ]})`;
  expect(rows.map(({ state }) => state)).toEqual(['queued', 'queued']);
});

it('deletes jobs of before', async () => {
  for (const state of ['succeeded', 'failed', 'canceled', 'expired', 'queued'])
    await sql`delete from jobs where job_id = ${jobs.get(state)!}`;
  const [left] =
    await sql`select count(*)::int as count from attempts where instance_id = ${instances.get('terminated')!}
    and job_id = ${jobs.get('succeeded')!}`;
  expect(left).toEqual({ count: 0 });
});
