import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Sql } from '../../functions/core/database.ts';
import { scramVerifier } from '../../functions/core/instances/credentials.ts';
import type { ResultRow } from '../../functions/core/results/rows.ts';
import { LeaseOver, openServer, type Server, Superseded } from '../../gpu-worker/lease/server.ts';
import { assignJob, type FreshDatabase, freshDatabase, insertInstance, insertJob } from './fresh.ts';

let database: FreshDatabase;
let sql: Sql;
beforeAll(async () => {
  database = await freshDatabase();
  sql = database.functions;
});
afterAll(() => database.close());

const life = new AbortController();

async function worker(): Promise<{ instanceId: string; server: Server; url: string; fence: number }> {
  const instanceId = await insertInstance(sql);
  await sql`select open_worker_login(${instanceId}, ${scramVerifier('secret')}, now() + interval '1 hour')`;
  const url = database.url(`aima_worker_${instanceId}`, 'secret');
  const server = openServer(url, life.signal);
  const { fence } = await server.hello({ version: 'test' });
  return { instanceId, server, url, fence };
}

async function jobRow(jobId: string) {
  const [row] = await sql`select * from jobs where job_id = ${jobId}`;
  return row!;
}

const segment = (text: string, startMs: number): ResultRow => ({
  kind: 'segment',
  startMs,
  endMs: startMs + 1000,
  text,
  language: 'en',
  confidence: 0.5,
  speakerId: null,
  words: [{ startMs, endMs: startMs + 500, text, confidence: null }],
});

describe('a worker', () => {
  it('claims what is assigned to its lease, saves parts and finishes', async () => {
    const jobId = await insertJob(sql);
    const { instanceId, server } = await worker();
    expect(await server.claim()).toBeNull();
    await assignJob(sql, jobId, instanceId);
    const job = (await server.claim())!;
    expect(job).toMatchObject({ jobId, attempt: 1, medium: { name: 'a.wav' } });
    await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 1000, rows: [segment('one', 0)] });
    await server.savePart(job, 'transcribe', { fromMs: 1000, toMs: 2000, rows: [segment('two', 1000)] });
    await server.finish(job, { analyzers: [] }, { durationMs: 2000 });
    expect(await jobRow(jobId)).toMatchObject({ state: 'succeeded', instanceId: null, progress: 1 });
    const attempts =
      await sql`select outcome, ended_at is not null as ended from attempts where job_id = ${jobId}`;
    expect(attempts).toEqual([{ outcome: 'succeeded', ended: true }]);
  });

  it('gets back what it saved, and a part that is saved again replaces itself', async () => {
    const { instanceId, server } = await worker();
    const jobId = await insertJob(sql);
    await assignJob(sql, jobId, instanceId);
    const job = (await server.claim())!;
    const rows: ResultRow[] = [
      segment('hello', 0),
      {
        kind: 'text',
        textId: 'o1',
        startMs: 0,
        endMs: 9,
        text: 'EXIT',
        confidence: 1,
        quad: [
          [0, 0],
          [1, 0],
          [1, 1],
          [0, 1],
        ],
      },
      {
        kind: 'scene',
        sceneId: 's1',
        startMs: 0,
        endMs: 9,
        score: null,
        keyframeMs: 4,
        thumbnail: 'scenes/s1.webp',
      },
      {
        kind: 'object',
        trackId: 't1',
        label: 'cup',
        classId: 41,
        startMs: 0,
        endMs: 9,
        confidence: 0.5,
        samples: [{ tMs: 0, box: { x: 0, y: 0, w: 1, h: 1 }, confidence: 0.5 }],
      },
      {
        kind: 'face',
        trackId: 'f1',
        startMs: 0,
        endMs: 9,
        confidence: 0.5,
        samples: [],
        embedding: 'AAAAAA==',
        embeddingSpace: 'x',
        thumbnail: null,
      },
      { kind: 'person', personId: 'p1', startMs: 0, endMs: 9, cohesion: null, trackIds: ['f1'] },
      {
        kind: 'voice',
        turnId: 'v1',
        startMs: 0,
        endMs: 9,
        // Longer than a line of base64, which Postgres would break.
        embedding: Buffer.alloc(4 * 192, 7).toString('base64'),
        embeddingSpace: 'x',
      },
      { kind: 'speaker', speakerId: 'sp1', startMs: 0, endMs: 9, cohesion: 0.75, turnIds: ['v1', 'v2'] },
      { kind: 'moderation', category: 'nudity', startMs: 0, endMs: 9, confidence: null },
      {
        kind: 'picture',
        pictureId: 'i1',
        startMs: 0,
        endMs: 9,
        keyframeMs: 4,
        // Negative where a signed number is made of it.
        perceptualHash: 'f00000000000000f',
        embedding: null,
        embeddingSpace: null,
        sketch: null,
        thumbnail: null,
      },
      {
        kind: 'picture',
        pictureId: 'i2',
        startMs: 0,
        endMs: 9,
        keyframeMs: 5,
        perceptualHash: '000000000000000a',
        embedding: Buffer.alloc(4 * 192, 9).toString('base64'),
        embeddingSpace: 'x',
        sketch: `${'f0'.repeat(63)}0a`,
        thumbnail: 'pictures/i2.webp',
      },
      { kind: 'signal', signal: 'freeze', startMs: 0, endMs: 9 },
      {
        kind: 'loudness',
        startMs: 0,
        endMs: 400,
        stepMs: 100,
        momentaryLufs: [null, null, -70, -23.04],
        peaks: [0, 0.25, 0.1234, 1],
      },
      { kind: 'loudness', startMs: 400, endMs: 400, stepMs: 100, momentaryLufs: [], peaks: [] },
    ];
    await server.savePart(job, 'faces', {
      fromMs: 0,
      toMs: 9,
      rows: [segment('old', 0), segment('older', 5)],
    });
    await server.savePart(job, 'faces', { fromMs: 0, toMs: 9, rows });
    const [saved] = await server.saved(job);
    expect(saved).toMatchObject({ analyzer: 'faces', fromMs: 0, toMs: 9 });
    expect(saved!.rows).toHaveLength(rows.length);
    expect(saved!.rows).toEqual(expect.arrayContaining(rows));
  });

  it('is handed a job again whose claim was answered to nobody, as the same attempt', async () => {
    const { instanceId, server, url, fence } = await worker();
    const jobId = await insertJob(sql);
    await assignJob(sql, jobId, instanceId);
    const lost = (await server.claim())!;
    expect(await server.claim()).toBeNull();
    const login = connect(url, { max: 1 });
    const [again] = await login`select worker.claim(${fence}, true) as job`;
    await login.end();
    expect(again!.job).toMatchObject({ jobId, attempt: 1 });
    await expect(server.progress(lost, 0.5)).rejects.toThrow(Superseded);
  });

  it('that was superseded can save nothing more, and its job is in the queue again', async () => {
    const { instanceId, server, url } = await worker();
    const jobId = await insertJob(sql);
    await assignJob(sql, jobId, instanceId);
    const job = (await server.claim())!;
    const successor = openServer(url, life.signal);
    await successor.hello({ version: 'test' });
    expect(await jobRow(jobId)).toMatchObject({ state: 'queued', attempt: 1 });
    await expect(server.savePart(job, 'transcribe', { fromMs: 0, toMs: 1, rows: [] })).rejects.toThrow(
      Superseded,
    );
    await expect(server.finish(job, {}, {})).rejects.toThrow(Superseded);
    await expect(server.heartbeat()).rejects.toThrow(Superseded);
  });

  it('fails a job for good, or for a later attempt while there are any', async () => {
    const { instanceId, server } = await worker();
    const jobId = await insertJob(sql, { maxAttempts: 2 });
    const failure = { code: 'internal', detail: 'out of memory', retry: true, run: null };
    await assignJob(sql, jobId, instanceId);
    await server.fail((await server.claim())!, failure);
    const first = await jobRow(jobId);
    expect(first).toMatchObject({ state: 'queued', errorCode: 'internal' });
    expect(first.notBeforeAt.getTime()).toBeGreaterThan(Date.now());
    await assignJob(sql, jobId, instanceId);
    await server.fail((await server.claim())!, failure);
    expect(await jobRow(jobId)).toMatchObject({
      state: 'failed',
      errorCode: 'internal',
      errorDetail: 'out of memory',
    });
  });

  it('learns from its heartbeat that a job was canceled', async () => {
    const { instanceId, server } = await worker();
    const jobId = await insertJob(sql);
    await assignJob(sql, jobId, instanceId);
    const job = (await server.claim())!;
    expect((await server.heartbeat()).jobs).toEqual([jobId]);
    await sql`update jobs set state = 'canceled', instance_id = null where job_id = ${jobId}`;
    expect((await server.heartbeat()).jobs).toEqual([]);
    await expect(server.progress(job, 0.9)).rejects.toThrow(Superseded);
  });

  it('that leaves gives its jobs back; one that was only assigned has used no attempt', async () => {
    const { instanceId, server } = await worker();
    const begun = await insertJob(sql, { maxAttempts: 1, priority: 9 });
    const waiting = await insertJob(sql, { maxAttempts: 1 });
    await assignJob(sql, begun, instanceId);
    await assignJob(sql, waiting, instanceId);
    expect((await server.claim())!.jobId).toBe(begun);
    await server.leave('failed', true);
    expect(await jobRow(begun)).toMatchObject({ state: 'failed', errorCode: 'worker_lost' });
    expect(await jobRow(waiting)).toMatchObject({ state: 'queued', attempt: 0 });
    const [instance] = await sql`select state, reason from instances where instance_id = ${instanceId}`;
    expect(instance).toEqual({ state: 'terminating', reason: 'worker_left' });
    await expect(server.heartbeat()).rejects.toThrow(LeaseOver);
  });

  it('that is told to end by somebody else was taken away, where its machine may be', async () => {
    const reasons = [];
    for (const interruptible of [true, false]) {
      const { instanceId, server } = await worker();
      await sql`
        update instances set offer = offer || ${sql.json({ interruptible })} where instance_id = ${instanceId}`;
      await server.leave('was told to end', false);
      const [row] = await sql`select reason from instances where instance_id = ${instanceId}`;
      reasons.push(row!.reason);
    }
    expect(reasons).toEqual(['preempted', 'worker_left']);
  });
});

it('a job whose instances die before they begin it waits longer each time, and fails after five', async () => {
  const jobId = await insertJob(sql);
  const pauses: number[] = [];
  for (let n = 1; n <= 5; n++) {
    const instanceId = await insertInstance(sql);
    await assignJob(sql, jobId, instanceId);
    await sql`select release_jobs(${instanceId}, 'The instance did not boot in time.', true)`;
    const job = await jobRow(jobId);
    expect(job).toMatchObject({ state: n < 5 ? 'queued' : 'failed', attempt: 0, failedStarts: n });
    pauses.push(Math.round((job.notBeforeAt.getTime() - Date.now()) / 5000));
  }
  expect(pauses).toEqual([1, 2, 4, 8, 16]);
  expect(await jobRow(jobId)).toMatchObject({
    errorCode: 'worker_lost',
    errorDetail: 'The instance did not boot in time.',
  });
});

it('a job whose instance somebody ended has lost no attempt', async () => {
  const jobId = await insertJob(sql, { maxAttempts: 1 });
  for (let n = 1; n <= 3; n++) {
    const { instanceId, server } = await worker();
    await assignJob(sql, jobId, instanceId);
    expect((await server.claim())!.attempt).toBe(n);
    await server.leave('was told to end', false);
    expect(await jobRow(jobId)).toMatchObject({ state: 'queued', notBeforeAt: null });
  }
});

describe('the login of a worker', () => {
  it('reads no table and calls no function but its own', async () => {
    const { url } = await worker();
    const login = connect(url, { max: 1 });
    for (const query of [
      login`select * from public.jobs`,
      login`select * from public.users`,
      login`select * from public.job_access`,
      login`insert into public.events (type) values ('x')`,
      login`select public.open_worker_login('x', 'y', now())`,
      login`select public.release_jobs('x', 'y', true)`,
      login`select nextval('public.fences')`,
      login`select worker.own_job(1, 'x')`,
      login`create table public.mine (x int)`,
      login`create temp table mine (x int)`,
      login`set role aima_functions`,
      login`alter role aima_functions password 'x'`,
    ]) {
      await expect(query).rejects.toThrow(/permission denied|must be owner|must have/);
    }
    await login.end();
  });

  it('cannot touch a job of another lease', async () => {
    const one = await worker();
    const other = await worker();
    const jobId = await insertJob(sql);
    await assignJob(sql, jobId, one.instanceId);
    expect(await other.server.claim()).toBeNull();
    const job = (await one.server.claim())!;
    await expect(other.server.finish(job, {}, {})).rejects.toThrow(Superseded);
    await expect(other.server.access(job)).rejects.toThrow(Superseded);
  });

  it('dies with the lease, open sessions too', async () => {
    const { instanceId, url } = await worker();
    const login = connect(url, { max: 1 });
    await login`select worker.hello('{}')`;
    await sql`select close_worker_login(${instanceId})`;
    await expect(login`select 1`).rejects.toThrow();
    await login.end();
    await expect(connect(url, { max: 1 })`select 1`).rejects.toMatchObject({ code: '28P01' });
    await sql`select close_worker_login(${instanceId})`;
  });

  it('is not made for a lease that is over', async () => {
    const instanceId = await insertInstance(sql, 'terminating');
    await expect(
      sql`select open_worker_login(${instanceId}, ${scramVerifier('x')}, now())`,
    ).rejects.toMatchObject({ code: 'AI003' });
  });
});
