/** A cut job and its pieces in a real database, with the worker's own way to speak to it. */
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tx } from '../../functions/core/database.ts';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { splitLongJobs } from '../../functions/core/jobs/split.ts';
import { recordCharges } from '../../functions/core/ledger/charges.ts';
import { readSituation } from '../../functions/core/planner/snapshot.ts';
import { baseLogins } from '../broker/brokers.ts';
import { runReport, segment } from '../jobs/rows.ts';
import { type Json, type System, startJob, startSystem } from '../jobs/system.ts';

const quote = {
  minMicrodollars: 1,
  maxMicrodollars: 500,
  expectedMicrodollars: 100,
  minMinutes: 1,
  maxMinutes: 1,
  expectedMinutes: 1,
  offersConsidered: 1,
  basedOn: { runs: 0 },
  because: 'test',
};

let system: System;
beforeAll(async () => {
  system = await startSystem();
}, 120_000);
afterAll(() => system?.stop());

interface PieceJob {
  jobId: string;
  piece: number;
  state: string;
  maxCostMicrodollars: number | null;
}

function piecesOf(jobId: string) {
  return system.core.sql<PieceJob[]>`
    select job_id, piece, state, max_cost_microdollars from jobs where parent_job_id = ${jobId} order by piece`;
}

/** What the planner does with jobs of a minute where the policy says 24 s. */
function cutNow(): Promise<boolean> {
  const { core } = system;
  return core.sql.begin(async (tx: Tx) =>
    splitLongJobs(tx, await readSituation(core, tx, [], { isLocking: true }), 24_000),
  );
}

/** A job of 60 s in three pieces. */
async function cutJob(): Promise<{ jobId: string; pieces: PieceJob[] }> {
  const jobId = await system.uploadedJob({ analyses: ['transcribe'] });
  await system.core.sql`
    update jobs set quote = ${system.core.sql.json(quote)}, max_cost_microdollars = 3000,
      options = '{"language": "en"}', priority = 2, callback_url = 'https://example.org/hook' where job_id = ${jobId}`;
  expect(await cutNow()).toBe(true);
  return { jobId, pieces: await piecesOf(jobId) };
}

/** A worker goes through a piece and hears this, a word a second. */
async function analyse(pieceId: string, text: string, fromMs: number): Promise<void> {
  const { server, job } = await startJob(system, pieceId);
  const words = text.split(' ').map((word, i) => {
    const startMs = fromMs + 1000 * i;
    return { startMs, endMs: startMs + 500, text: word, confidence: 0.5 };
  });
  const row = { ...segment(text, fromMs), endMs: words.at(-1)!.endMs, words } as ReturnType<typeof segment>;
  await server.savePart(job, 'transcribe', { fromMs: job.range!.fromMs, toMs: job.range!.toMs, rows: [row] });
  await server.finish(job, runReport([{ wallMs: 5 }]), { durationMs: 60_000 });
}

async function fail(pieceId: string): Promise<void> {
  const { server, job } = await startJob(system, pieceId);
  await server.fail(job, { code: 'models_unavailable', detail: 'No models.', retry: false, run: null });
}

/** What the broker keeps of a job for whoever subscribes. */
async function retained(jobId: string): Promise<Json> {
  const client = await mqtt.connectAsync(system.brokerUrl, { ...baseLogins[1]!, reconnectPeriod: 0 });
  const heard = new Promise<string>((resolve) => client.once('message', (_, body) => resolve(String(body))));
  await client.subscribeAsync(`aima/users/${'0'.repeat(26)}/jobs/${jobId}`, { qos: 1 });
  const body = await heard;
  await client.endAsync();
  return JSON.parse(body);
}

const view = async (jobId: string): Promise<Json> => (await system.api('GET', `/${jobId}`)).body;
const result = async (jobId: string): Promise<Json> => (await system.api('GET', `/${jobId}/result`)).body;
const heard = (document: Json) => document.transcript?.segments.map((one: Json) => one.text);

/** Sixty words, one a second, as each piece hears them. */
const said = (fromMs: number, toMs: number) =>
  Array.from({ length: (toMs - fromMs) / 1000 }, (_, i) => `w${fromMs / 1000 + i}`).join(' ');

async function analyseAll(pieces: PieceJob[]): Promise<void> {
  await analyse(pieces[0]!.jobId, said(0, 30_000), 0);
  await analyse(pieces[1]!.jobId, said(10_000, 50_000), 10_000);
  await analyse(pieces[2]!.jobId, said(30_000, 60_000), 30_000);
}

describe('cutting', () => {
  it('makes pieces that are jobs like the one they are of, but for what it costs and who is told', async () => {
    const { jobId, pieces } = await cutJob();
    expect(await view(jobId)).toMatchObject({ state: 'split', progress: 0, queue: null });
    expect(pieces).toMatchObject(
      [1, 2, 3].map((piece) => ({ piece, state: 'queued', maxCostMicrodollars: 1000 })),
    );
    const rows = await system.core.sql`
      select p.media_id = j.media_id and p.options = j.options and p.priority = j.priority and p.queued_at = j.queued_at
        and p.callback_url is null and p.analyses = j.analyses as is_alike
      from jobs p join jobs j on j.job_id = p.parent_job_id where j.job_id = ${jobId}`;
    expect(rows.map((row) => row.isAlike)).toEqual([true, true, true]);
    const listed = (await system.api('GET', '', { query: { limit: '100' } })).body.jobs.map(
      (job: Json) => job.jobId,
    );
    expect(listed).toContain(jobId);
    for (const piece of pieces) expect(listed).not.toContain(piece.jobId);
    const batch = (await system.api('GET', '', { query: { batchId: jobId } })).body.jobs;
    expect(batch).toHaveLength(1);
    // Once: there is nothing else to cut now.
    expect(await cutNow()).toBe(false);
    await system.api('DELETE', `/${jobId}`);
  });

  it('leaves alone what has a part saved, is too dear to be done unasked, or has no quote', async () => {
    const { sql } = system.core;
    const [begun, dear, unknown] = await Promise.all(
      [0, 1, 2].map(() => system.uploadedJob({ analyses: ['transcribe'] })),
    );
    await sql`update jobs set quote = ${sql.json(quote)} where job_id = ${begun!}`;
    await sql`insert into parts (job_id, analyzer, from_ms, to_ms, fence) values (${begun!}, 'transcribe', 0, 10, 1)`;
    await sql`update jobs set quote = ${sql.json({ ...quote, maxMicrodollars: 1e9 })} where job_id = ${dear!}`;
    expect(await cutNow()).toBe(false);
    // Agreed to, it is cut, and its pieces are not asked about again.
    await sql`update jobs set confirmed_microdollars = 1000000000 where job_id = ${dear!}`;
    expect(await cutNow()).toBe(true);
    expect(await piecesOf(dear!)).toHaveLength(3);
    for (const jobId of [begun!, dear!, unknown!]) await system.api('DELETE', `/${jobId}`);
  });

  it('tells each worker its stretch and where its pictures go', async () => {
    const { jobId, pieces } = await cutJob();
    const { job } = await startJob(system, pieces[1]!.jobId);
    expect(job).toMatchObject({ range: { fromMs: 10_000, toMs: 50_000 } });
    const { job: first } = await startJob(system, pieces[0]!.jobId);
    expect(first).toMatchObject({ range: { fromMs: 0, toMs: 30_000 } });
    const whole = await system.uploadedJob();
    expect((await startJob(system, whole)).job).toMatchObject({
      range: null,
      resultPrefix: `results/${whole}/`,
    });
    for (const id of [jobId, whole]) await system.api('DELETE', `/${id}`);
  });
});

describe('when the pieces have ended', () => {
  it('their results are one, once, and only the job is told of', async () => {
    const { jobId, pieces } = await cutJob();
    await analyse(pieces[0]!.jobId, said(0, 30_000), 0);
    await settleJobs(system.core);
    expect((await view(jobId)).progress).toBeCloseTo(1 / 3);
    expect(await retained(jobId)).toMatchObject({ state: 'split', progress: expect.closeTo(1 / 3) });
    // What there is by now can be read.
    expect(heard(await result(jobId))).toEqual([said(0, 20_000)]);
    await analyse(pieces[1]!.jobId, said(10_000, 50_000), 10_000);
    await analyse(pieces[2]!.jobId, said(30_000, 60_000), 30_000);
    expect(await settleJobs(system.core)).toContain(jobId);
    expect(await view(jobId)).toMatchObject({ state: 'succeeded', progress: 1, attempt: 1, error: null });
    expect(await retained(jobId)).toMatchObject({ state: 'succeeded', progress: 1 });
    const document = await result(jobId);
    expect(document.status).toBe('complete');
    expect(heard(document)).toEqual([said(0, 60_000)]);
    expect(document.run.analyzers).toMatchObject([{ name: 'transcribe', status: 'ok', wallMs: 15 }]);
    const { sql } = system.core;
    const told = await sql`select job_id from webhooks union all select job_id from documents`;
    const ids = told.map((row) => row.jobId);
    expect(ids.filter((id) => id === jobId)).toHaveLength(2);
    for (const piece of pieces) expect(ids).not.toContain(piece.jobId);
    expect(await settleJobs(system.core)).toEqual([]);
    const unsettled = await sql`select from jobs where parent_job_id = ${jobId} and settled_at is null`;
    expect(unsettled).toHaveLength(0);
  });

  it('one that failed fails the job, which keeps what the others found; a retry does only that one', async () => {
    const { jobId, pieces } = await cutJob();
    await analyse(pieces[0]!.jobId, said(0, 30_000), 0);
    await fail(pieces[1]!.jobId);
    await settleJobs(system.core);
    expect((await view(jobId)).state).toBe('split');
    await analyse(pieces[2]!.jobId, said(30_000, 60_000), 30_000);
    await settleJobs(system.core);
    expect(await view(jobId)).toMatchObject({ state: 'failed', error: { code: 'models_unavailable' } });
    const partial = await result(jobId);
    expect(partial.status).toBe('partial');
    expect(heard(partial)).toEqual([said(0, 20_000), said(40_000, 60_000)]);

    expect((await system.api('POST', `/${jobId}/retry`, { body: {} })).status).toBeLessThan(300);
    expect((await piecesOf(jobId)).map((piece) => piece.state)).toEqual(['succeeded', 'queued', 'succeeded']);
    expect((await view(jobId)).state).toBe('split');
    await analyse(pieces[1]!.jobId, said(10_000, 50_000), 10_000);
    await settleJobs(system.core);
    expect(await view(jobId)).toMatchObject({ state: 'succeeded', error: null });
    expect(heard(await result(jobId))).toEqual([said(0, 60_000)]);
  });

  it('a retry from scratch cuts anew', async () => {
    const { jobId, pieces } = await cutJob();
    await fail(pieces[0]!.jobId);
    await analyse(pieces[1]!.jobId, said(10_000, 50_000), 10_000);
    await analyse(pieces[2]!.jobId, said(30_000, 60_000), 30_000);
    await settleJobs(system.core);
    await system.api('POST', `/${jobId}/retry`, { body: { fromScratch: true } });
    expect((await view(jobId)).state).toBe('queued');
    expect(await cutNow()).toBe(true);
    const anew = (await piecesOf(jobId)).filter((piece) => piece.piece !== null);
    expect(anew).toMatchObject([1, 2, 3].map((piece) => ({ piece, state: 'queued' })));
    await analyseAll(anew);
    await settleJobs(system.core);
    expect(heard(await result(jobId))).toEqual([said(0, 60_000)]);
    expect(await view(jobId)).toMatchObject({ state: 'succeeded' });
  });
});

describe('its owner', () => {
  it('cancels all of it and keeps what was found; a retry goes on', async () => {
    const { jobId, pieces } = await cutJob();
    await analyse(pieces[0]!.jobId, said(0, 30_000), 0);
    const { server, job } = await startJob(system, pieces[1]!.jobId);
    expect((await system.api('POST', `/${jobId}/cancel`)).status).toBeLessThan(300);
    expect((await piecesOf(jobId)).map((piece) => piece.state)).toEqual([
      'succeeded',
      'canceled',
      'canceled',
    ]);
    expect((await server.heartbeat()).jobs).not.toContain(job.jobId);
    expect(await view(jobId)).toMatchObject({ state: 'canceled' });
    expect(heard(await result(jobId))).toEqual([said(0, 20_000)]);
    await system.api('POST', `/${jobId}/retry`, { body: {} });
    expect((await piecesOf(jobId)).map((piece) => piece.state)).toEqual(['succeeded', 'queued', 'queued']);
    await system.api('DELETE', `/${jobId}`);
  });

  it('deletes all of it', async () => {
    const { jobId, pieces } = await cutJob();
    await analyse(pieces[0]!.jobId, said(0, 30_000), 0);
    await system.core.bucket.write(`results/${jobId}/1/scenes/s1.webp`, Buffer.from('picture'), 'image/webp');
    await system.api('DELETE', `/${jobId}`);
    const { sql } = system.core;
    const ids = [jobId, ...pieces.map((piece) => piece.jobId)];
    for (const table of ['jobs', 'parts', 'words', 'job_access'])
      expect(await sql`select from ${sql(table)} where job_id in ${sql(ids)}`).toHaveLength(0);
    expect(await sql`select from events where job_id in ${sql(ids)} and type <> 'job.deleted'`).toHaveLength(
      0,
    );
    expect(await system.core.bucket.stat(`results/${jobId}/1/scenes/s1.webp`)).toBeNull();
  });

  it('cannot change a piece by itself', async () => {
    const { jobId, pieces } = await cutJob();
    for (const [method, path] of [
      ['POST', 'cancel'],
      ['POST', 'retry'],
      ['DELETE', ''],
    ] as const) {
      const body = path === 'retry' ? { body: {} } : {};
      expect((await system.api(method, `/${pieces[0]!.jobId}/${path}`.replace(/\/$/, ''), body)).status).toBe(
        404,
      );
    }
    await system.api('DELETE', `/${jobId}`);
  });

  it('pays what the pieces cost, to the last micro-dollar', async () => {
    const { jobId, pieces } = await cutJob();
    await analyseAll(pieces);
    await settleJobs(system.core);
    const { sql } = system.core;
    const instances = await sql<{ instanceId: string }[]>`
      select distinct instance_id from attempts
      where job_id in (select job_id from jobs where parent_job_id = ${jobId})`;
    expect(instances).toHaveLength(3);
    for (const { instanceId } of instances) {
      await sql`update instances set state = 'terminating', provider_instance_id = instance_id where instance_id = ${instanceId}`;
      await sql`update instances set state = 'terminated', gone_at = requested_at + interval '1 minute' where instance_id = ${instanceId}`;
      await sql.begin((tx) => recordCharges(tx, instanceId));
    }
    // A minute of each at 360 000 an hour.
    expect(await view(jobId)).toMatchObject({ costMicrodollars: 18_000, charges: { microdollars: 18_000 } });
    const [kept] = await sql`select cost_microdollars from jobs where job_id = ${jobId}`;
    expect(kept).toEqual({ costMicrodollars: 18_000 });
  });
});
