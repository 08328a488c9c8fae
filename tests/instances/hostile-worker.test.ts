/**
 * A worker's login in the hands of an adversary: what it may touch, and that whatever it does keeps no
 * machine alive, neither its own nor another.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import type { Core } from '../../functions/core/core.ts';
import { connect, type Sql } from '../../functions/core/database.ts';
import { mendLogins, scramVerifier, shutOutLingering } from '../../functions/core/instances/credentials.ts';
import { startEnding } from '../../functions/core/instances/end.ts';
import { sweepInstances } from '../../functions/core/instances/sweep.ts';
import {
  assignJob,
  type FreshDatabase,
  freshDatabase,
  functionsPassword,
  insertInstance,
  insertJob,
} from '../database/fresh.ts';

let database: FreshDatabase;
let sql: Sql;
let core: Core;
const opened: Sql[] = [];
beforeAll(async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
  vi.spyOn(console, 'error').mockImplementation(() => {});
  database = await freshDatabase();
  sql = database.functions;
  // What ends a lease in Postgres needs no more of the core; the broker is away.
  core = { sql, publisher: { client: { connected: false }, instanceDrained() {} } } as unknown as Core;
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.end({ timeout: 0 }).catch(() => {})));
});
afterAll(() => database.close());

async function login(state = 'booting') {
  const instanceId = await insertInstance(sql, state);
  await sql`select open_worker_login(${instanceId}, ${scramVerifier('secret')}, now() + interval '1 hour')`;
  const open = () => {
    const own = connect(database.url(`aima_worker_${instanceId}`, 'secret'), { max: 1 });
    opened.push(own);
    return own;
  };
  return { instanceId, open, own: open() };
}

async function hello(own: Sql): Promise<number> {
  const [row] = await own<{ answer: { fence: number } }[]>`select worker.hello('{}') as answer`;
  return row!.answer.fence;
}

const roleOf = (instanceId: string) =>
  sql`select rolcanlogin from pg_roles where rolname = ${`aima_worker_${instanceId}`}`;
const terminate = (instanceId: string) =>
  sql.begin(async (tx) => {
    await tx`update instances set state = 'terminating' where instance_id = ${instanceId}`;
    await tx`update instances set state = 'terminated' where instance_id = ${instanceId}`;
  });

describe('a worker’s login', () => {
  it('may call the functions that are for workers, see no table and no statement of others', async () => {
    const { own } = await login();
    const functions = await own<{ name: string }[]>`
      select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where n.nspname !~ '^pg_|^information_schema' and has_function_privilege(p.oid, 'execute')`;
    expect(functions.map(({ name }) => name.replace(/\(.*/, '')).sort()).toEqual(
      [
        'access',
        'claim',
        'fail',
        'finish',
        'heartbeat',
        'hello',
        'leave',
        'progress',
        'remaining_ms',
        'save_part',
        'saved',
        'starting',
        'unfit',
      ].map((name) => `worker.${name}`),
    );
    const tables = await own`
      select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname !~ '^pg_|^information_schema' and c.relkind in ('r', 'v', 'm', 'S')
        and (case when c.relkind = 'S' then has_sequence_privilege(c.oid, 'usage, select, update')
          else has_table_privilege(c.oid, 'select, insert, update, delete') or has_any_column_privilege(c.oid, 'select, insert, update') end)`;
    expect(tables).toEqual([]);
    const others = await own`
      select query from pg_stat_activity where usename <> session_user and query <> '' and query <> '<insufficient privilege>'`;
    expect(others).toEqual([]);
    for (const role of ['aima_functions', 'aima_owner'])
      await expect(own.unsafe(`set role ${role}`)).rejects.toThrow(/permission denied/);
  });

  it('keeps nothing in the database', async () => {
    const { own } = await login();
    for (const statement of [
      'select lo_create(0)',
      `select lo_from_bytea(0, 'a')`,
      'select lo_creat(-1)',
      'create temp table t ()',
      'create table t ()',
      'create schema s',
    ])
      await expect(own.unsafe(statement), statement).rejects.toThrow(
        /permission denied|no schema has been selected/,
      );
  });

  it('is closed with its lease whatever it owns, and keeps no other open', async () => {
    const [hostile, other] = [await login(), await login()];
    await hostile.own`alter default privileges grant select on tables to public`;
    // As its like had them before they could not be made.
    await database.admin.begin(async (tx) => {
      const [row] = await tx<{ id: number }[]>`select lo_create(0) as id`;
      await tx.unsafe(`alter large object ${row!.id} owner to aima_worker_${hostile.instanceId}`);
    });
    for (const { instanceId } of [hostile, other]) await terminate(instanceId);
    await mendLogins(core);
    expect(await roleOf(hostile.instanceId)).toEqual([]);
    expect(await roleOf(other.instanceId)).toEqual([]);
  });
});

describe('a worker that keeps a transaction open', () => {
  it('is shut out, so that its lease can be ended', async () => {
    const { instanceId, own, open } = await login();
    const fence = await hello(own);
    const keeps = own.unsafe(`begin; select worker.heartbeat(${fence}); select pg_sleep(60)`).simple();
    const ended = expect(keeps).rejects.toThrow();
    await until(
      () => database.admin`
      select from pg_stat_activity where usename = ${`aima_worker_${instanceId}`} and wait_event = 'PgSleep'`,
    );
    const blocked = sql.begin(async (tx) => {
      await tx`set local lock_timeout = 50`;
      await tx`update instances set state = 'terminating' where instance_id = ${instanceId}`;
    });
    await expect(blocked).rejects.toMatchObject({ code: '55P03' });

    await shutOutLingering(core, 0);
    await ended;
    await expect(open()`select 1`).rejects.toMatchObject({ code: '28000' });
    expect(await startEnding(core, instanceId, 'lost_contact', 'It was silent.')).toBe(true);
  });

  it('keeps no other lease alive meanwhile', async () => {
    const [before, hostile, after] = [await login(), await login(), await login()];
    const fence = await hello(hostile.own);
    const ids = [before, hostile, after].map(({ instanceId }) => instanceId);
    await sql`update instances set deadline_at = now() - interval '1 s' where instance_id = any (${ids})`;
    const keeps = hostile.own
      .unsafe(`begin; select worker.heartbeat(${fence}); select pg_sleep(60)`)
      .simple()
      .catch(() => {});
    await until(
      () => database.admin`
        select from pg_stat_activity where usename = ${`aima_worker_${hostile.instanceId}`} and wait_event = 'PgSleep'`,
    );
    // The functions' own patience is 30 s.
    const impatient = connect(database.url('aima_functions', functionsPassword), { max: 1 });
    opened.push(impatient);
    await impatient`set lock_timeout = 100`;
    await sweepInstances({ ...core, sql: impatient, config: loadConfig({}), providers: new Map() });
    const ended = await sql<{ instanceId: string }[]>`
      select instance_id from instances where instance_id = any (${ids}) and state = 'terminating' order by instance_id`;
    expect(ended.map(({ instanceId }) => instanceId)).toEqual([ids[0], ids[2]]);
    await shutOutLingering(core, 0);
    await keeps;
  });

  it('is not mistaken for one that only works', async () => {
    const { own } = await login();
    const fence = await hello(own);
    await shutOutLingering(core);
    await own`select worker.heartbeat(${fence})`;
  });
});

it('an end and a word of progress in the same moment wait for each other, in one order', async () => {
  const jobId = await insertJob(sql);
  const { instanceId, own } = await login();
  const fence = await hello(own);
  await assignJob(sql, jobId, instanceId);
  const [claim] = await own<{ answer: { fence: number } }[]>`select worker.claim(${fence}) as answer`;
  const waiting = () => database.admin`
    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  let free = () => {};
  let isLocked = () => {};
  const locked = new Promise<void>((resolve) => (isLocked = resolve));
  const third = database.admin.begin(async (tx) => {
    await tx`select from instances where instance_id = ${instanceId} for update`;
    isLocked();
    await new Promise<void>((resolve) => (free = resolve));
  });
  await locked;
  const ending = startEnding(core, instanceId, 'asked', 'Somebody ended it.');
  await until(waiting, 1);
  const progress = own`select worker.progress(${claim!.answer.fence}, ${jobId}, 0.5)`.then(
    () => 'heard',
    (error: { code: string }) => error.code,
  );
  await until(waiting, 2);
  free();
  await third;
  expect(await ending).toBe(true);
  // The job was given back first: the word comes too late, which is no failure.
  expect(await progress).toBe('AI002');
});

async function until(rows: () => PromiseLike<readonly unknown[]>, count = 1): Promise<void> {
  while ((await rows()).length < count);
}
