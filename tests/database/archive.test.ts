/** What is done at every look, beat and end costs the same with thousands of finished jobs: it reads none of them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import type { Core } from '../../functions/core/core.ts';
import type { Sql, Tx } from '../../functions/core/database.ts';
import { listInstances } from '../../functions/core/instances/list.ts';
import { freeNeeds } from '../../functions/core/planner/rent.ts';
import { readSituation } from '../../functions/core/planner/snapshot.ts';
import { assignJob, type FreshDatabase, freshDatabase, insertInstance, insertJob } from './fresh.ts';

const archived = 5000;
let database: FreshDatabase;
let running: string;
let instanceId: string;

beforeAll(async () => {
  database = await freshDatabase();
  const { admin, functions } = database;
  await admin.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    const ids = tx`(select lpad(n::text, 26, '0') as id, repeat('0', 26) as owner from generate_series(1, ${archived}::int) n) ids`;
    await tx`insert into batches (batch_id, user_id) select id, owner from ${ids}`;
    await tx`
      insert into media (media_id, user_id, object_key, name, kind, duration_ms, size_bytes)
      select id, owner, id, 'a.wav', 'audio', 60000, 1000 from ${ids}`;
    await tx`
      insert into jobs (job_id, user_id, batch_id, media_id, state, analyses, attempt, queued_at, finished_at, settled_at)
      select id, owner, id, id, 'failed', '{transcribe}', 1, now(), now(), now() from ${ids}`;
  });
  await admin`analyze`;
  instanceId = await insertInstance(functions, 'ready');
  await insertInstance(functions);
  running = await insertJob(functions);
  await assignJob(functions, running, instanceId);
  await functions`update jobs set state = 'running', attempt = 1 where job_id = ${running}`;
  await insertJob(functions);
});
afterAll(() => database.close());

const config = loadConfig({
  AIMA_DATABASE_URL: 'postgres://127.0.0.1/aima',
  AIMA_MQTT_URL: 'mqtt://127.0.0.1',
});
const core = (sql: Sql | Tx) => ({ sql, config }) as unknown as Core;

const looks: Record<string, (tx: Tx) => PromiseLike<unknown>> = {
  'the situation of a look': (tx) => readSituation(core(tx), tx, [], { isLocking: true }),
  'freeing needs': freeNeeds,
  'a list of instances': (tx) => listInstances(core(tx)),
  'the budget of a running job': (tx) => tx`select check_budget(${running})`,
  'giving jobs back': (tx) => tx`select release_jobs(${instanceId}, 'ended', false)`,
};

it.each(Object.entries(looks))('%s', async (_, look) => {
  const read = await database.admin.begin(async (tx) => {
    const before = await readOfJobs(tx);
    await look(tx);
    return (await readOfJobs(tx)) - before;
  });
  expect(read).toBeLessThan(archived / 10);
});

/** Rows of jobs that this connection has read and not yet told the statistics of. */
async function readOfJobs(tx: Tx): Promise<number> {
  const [row] = await tx<{ read: number }[]>`
    select (seq_tup_read + coalesce(idx_tup_fetch, 0))::int as read from pg_stat_xact_user_tables
    where relid = 'public.jobs'::regclass`;
  return row!.read;
}
