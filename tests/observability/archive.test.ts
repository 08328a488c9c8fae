/** Figures and health cost the same with thousands of finished jobs: neither reads one of them. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import type { Sql, Tx } from '../../functions/core/database.ts';
import { readQueue } from '../../functions/core/health/queue.ts';
import { readMetrics } from '../../functions/core/metrics/metrics.ts';
import { type FreshDatabase, freshDatabase, insertJob } from '../database/fresh.ts';
import { parseExposition } from './exposition-parser.ts';

const archived = 5000;
let database: FreshDatabase;

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
    await tx`
      insert into webhooks (job_id, url, tries, next_try_at, delivered_at) select id, 'https://example.org', 1, null, now() from ${ids}`;
  });
  await admin`analyze`;
  for (let n = 0; n < 3; n++) await insertJob(functions);
});
afterAll(() => database.close());

it.each([
  [
    'figures',
    async (sql: Sql) => {
      const { value } = parseExposition(await readMetrics({ sql, config: loadConfig({}) }));
      expect(value('aima_jobs', { state: 'queued' })).toBe(3);
    },
  ],
  ['the queue', (sql: Sql) => readQueue(sql)],
])('%s', async (_, look) => {
  const read = await database.admin.begin(async (tx) => {
    const before = await readRows(tx);
    await look(tx as unknown as Sql);
    return (await readRows(tx)) - before;
  });
  expect(read).toBeLessThan(archived / 10);
});

/** Rows of jobs and callbacks that this connection has read and not yet told the statistics of. */
async function readRows(tx: Tx): Promise<number> {
  const [row] = await tx<{ read: number }[]>`
    select sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int as read from pg_stat_xact_user_tables
    where relid in ('public.jobs'::regclass, 'public.webhooks'::regclass)`;
  return row!.read;
}
