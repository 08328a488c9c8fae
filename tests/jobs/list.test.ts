import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { type JobFilter, pageQuery } from '../../functions/core/jobs/list.ts';
import { type Json, type System, startJob, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

const idsOf = (page: Json): string[] => page.jobs.map((job: Json) => job.jobId);

async function list(query: Record<string, string> = {}): Promise<Json> {
  const { status, body } = await system.api('GET', '/', { query });
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

describe('the list of jobs', () => {
  let jobIds: string[];
  beforeAll(async () => {
    jobIds = [];
    for (const name of ['Talk 1.mp4', 'talk 2.mp4', 'Übung.wav', 'a%b_c.png', 'photo.jpg']) {
      jobIds.push(await system.uploadedJob({ name }));
    }
    await system.api('POST', `/${jobIds[1]}/cancel`);
    await startJob(system, jobIds[2]!);
    await system.strangersJob();
  });

  it('has one’s own jobs, newest first', async () => {
    const page = await list();
    expect(idsOf(page)).toEqual(jobIds.toReversed());
    expect(page.nextCursor).toBeNull();
    expect(page.jobs[0]).toMatchObject({ name: 'photo.jpg', state: 'queued', error: null, kind: 'audio' });
  });

  it('comes in pages that together have every job once', async () => {
    const seen: string[] = [];
    let cursor: string | null = '';
    let pages = 0;
    while (cursor !== null) {
      const page: Json = await list({ limit: '2', ...(cursor ? { cursor } : {}) });
      seen.push(...idsOf(page));
      cursor = page.nextCursor;
      pages++;
    }
    expect(seen).toEqual(jobIds.toReversed());
    expect(pages).toBe(3);
  });

  it('is filtered by one state or several', async () => {
    expect(idsOf(await list({ state: 'canceled' }))).toEqual([jobIds[1]]);
    expect(idsOf(await list({ state: 'running,canceled' }))).toEqual([jobIds[2], jobIds[1]]);
    expect(idsOf(await list({ state: 'running,canceled,queued', limit: '3' }))).toEqual(
      jobIds.slice(2).toReversed(),
    );
    expect(idsOf(await list({ state: 'failed' }))).toEqual([]);
  });

  it('is filtered by batch', async () => {
    const batchId = jobIds[3]!;
    expect(idsOf(await list({ batchId }))).toEqual([batchId]);
    expect(idsOf(await list({ batchId, state: 'failed' }))).toEqual([]);
    expect(idsOf(await list({ batchId: newId() }))).toEqual([]);
  });

  it('is filtered by part of the name, whatever the case, and nothing in it has a special meaning', async () => {
    expect(idsOf(await list({ name: 'TALK' }))).toEqual([jobIds[1], jobIds[0]]);
    expect(idsOf(await list({ name: 'übung' }))).toEqual([jobIds[2]]);
    expect(idsOf(await list({ name: '%b_' }))).toEqual([jobIds[3]]);
    expect(idsOf(await list({ name: "'; drop table jobs" }))).toEqual([]);
    const first = await list({ name: 'talk', limit: '1' });
    expect(idsOf(first)).toEqual([jobIds[1]]);
    expect(idsOf(await list({ name: 'talk', limit: '1', cursor: first.nextCursor }))).toEqual([jobIds[0]]);
  });

  it('is filtered by time', async () => {
    const { jobs } = await list();
    const middle = jobs[2];
    expect(idsOf(await list({ createdAfter: middle.createdAt }))).toEqual(jobIds.slice(2).toReversed());
    const later = new Date(Date.parse(middle.createdAt) + 1).toISOString();
    expect(idsOf(await list({ createdAfter: '2020-01-01T00:00:00+02:00', createdBefore: later }))).toEqual(
      jobIds.slice(0, 3).toReversed(),
    );
    expect(idsOf(await list({ createdBefore: '1960-01-01T00:00:00Z' }))).toEqual([]);
  });

  it.each([
    { limit: '0' },
    { limit: '201' },
    { limit: 'x' },
    { cursor: 'nonsense' },
    { cursor: Buffer.from("' or 1=1").toString('base64url') },
    { state: 'done' },
    { state: '' },
    { batchId: '../x' },
    { name: '' },
    { name: 'a\0b' },
    { createdAfter: 'yesterday' },
  ])('refuses %j', async (query) => {
    const { status, body } = await system.api('GET', '/', { query });
    expect(status).toBe(400);
    expect(body.errors[0].path).toMatch(/^query\./);
  });

  it('needs a token of a user', async () => {
    expect((await system.api('GET', '/', { token: null })).status).toBe(401);
    expect((await system.api('GET', '/', { token: 'token-of-the-connector' })).status).toBe(403);
  });
});

describe('with many finished jobs', () => {
  const userId = '0'.repeat(26);
  const startMs = Date.parse('2020-01-01T00:00:00Z');
  /** One a minute, oldest first. */
  const ids = Array.from({ length: 50_000 }, (_, n) => newId(startMs + n * 60_000));
  const oldBatch = ids[100]!;

  beforeAll(async () => {
    const { admin } = system.database;
    await admin.begin(async (tx) => {
      // Without triggers: they are not what is looked at, and take most of the time.
      await tx`set local session_replication_role = replica`;
      await tx`create temp table made on commit drop as
        select id, n, ${new Date(startMs)}::timestamptz + (n - 1) * interval '1 minute' as at,
          (${ids}::text[])[(n - 1) / 10 * 10 + 1] as batch_id
        from unnest(${ids}::text[]) with ordinality as x (id, n)`;
      await tx`insert into batches (batch_id, user_id) select distinct batch_id, ${userId} from made`;
      await tx`insert into media (media_id, user_id, object_key, name)
               select id, ${userId}, 'uploads/' || id, 'file ' || n || '.mp4' from made`;
      await tx`insert into jobs (job_id, user_id, batch_id, media_id, state, analyses, created_at, finished_at, settled_at)
               select id, ${userId}, batch_id, id, case when n % 1000 = 0 then 'failed' else 'succeeded' end,
                 '{ocr}', at, at, at from made`;
    });
    await admin`vacuum analyze jobs`;
    await admin`vacuum analyze media`;
  });

  const pages: [string, Partial<JobFilter>][] = [
    ['the first', {}],
    ['one in the middle', { before: ids[25_000]! }],
    ['a rare state', { states: ['failed'] }],
    ['a state that no job is in', { states: ['expired'] }],
    ['several states', { states: ['succeeded', 'failed', 'canceled'] }],
    ['an old batch', { batchId: oldBatch }],
    ['a name that does not occur', { name: 'nothing is called that' }],
    ['before all others', { createdBefore: new Date('2020-01-01T00:10:00Z') }],
    ['after all others', { createdAfter: new Date('2090-01-01') }],
  ];

  it.each(pages)('%s page reads no table from end to end', async (_, filter) => {
    const { functions: sql } = system.database;
    const [row] = await sql`
      explain (analyze, format json) ${pageQuery(sql, userId, { limit: 50, ...filter })}`;
    const nodes = nodesOf((Object.values(row!)[0] as Json)[0].Plan);
    expect(nodes.filter((node) => node['Node Type'] === 'Seq Scan')).toEqual([]);
    const touched = nodes
      .filter((node) => node['Relation Name'])
      .map((node) => (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops']);
    expect(touched.length).toBeGreaterThan(0);
    expect(Math.max(...touched)).toBeLessThanOrEqual(filter.name ? 6_000 : 1_000);
  });

  it('finds the few jobs that fit, wherever they are', async () => {
    expect(idsOf(await list({ batchId: oldBatch }))).toHaveLength(10);
    expect((await list({ state: 'failed', limit: '200' })).jobs).toHaveLength(50);
    expect(idsOf(await list({ createdBefore: '2020-01-01T00:02:30Z' }))).toHaveLength(3);
  });

  it('goes on looking for a name over pages that may be empty', async () => {
    const found: string[] = [];
    let cursor: string | undefined;
    let pageCount = 0;
    do {
      const page = await list({ name: 'file 77.mp4', ...(cursor ? { cursor } : {}) });
      found.push(...idsOf(page));
      cursor = page.nextCursor ?? undefined;
      pageCount++;
    } while (cursor);
    expect(found).toEqual([ids[76]]);
    expect(pageCount).toBeGreaterThan(5);
  });

  it('tells the place in the queue without looking at finished jobs', async () => {
    const jobId = await system.uploadedJob();
    const { functions: sql } = system.database;
    const [row] = await sql`
      explain (format json) select count(*) from jobs where state = 'queued'
        and (priority > 0 or (priority = 0 and queued_at < now()))`;
    const nodes = nodesOf((Object.values(row!)[0] as Json)[0].Plan);
    expect(nodes.some((node) => node['Index Name'] === 'jobs_queued')).toBe(true);
    expect((await system.api('GET', `/${jobId}`)).body.queue.position).toBeGreaterThan(1);
  });
});

function nodesOf(plan: Json): Json[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}
