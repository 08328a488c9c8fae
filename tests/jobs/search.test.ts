import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import type { ResultRow } from '../../functions/core/results/rows.ts';
import { cutJob } from './cut-job.ts';
import { runReport, segment } from './rows.ts';
import { type Json, type System, startJob, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

async function search(q: string, query: Record<string, string> = {}): Promise<Json> {
  const { status, body } = await system.api('GET', '/search', { query: { q, ...query } });
  expect(status, JSON.stringify(body)).toBe(200);
  return body;
}

const hitsOf = async (q: string, query?: Record<string, string>): Promise<Json[]> =>
  (await search(q, query)).hits;

function seen(text: string, startMs: number, textId: string): ResultRow {
  const quad: [number, number][] = [
    [0, 0],
    [1, 0],
    [1, 1],
    [0, 1],
  ];
  return { kind: 'text', textId, startMs, endMs: startMs + 500, text, confidence: 1, quad: quad as never };
}

async function analysed(name: string, said: ResultRow[], read: ResultRow[] = []): Promise<string> {
  const jobId = await system.uploadedJob({ name, analyses: ['transcribe', 'ocr'] });
  const { server, job } = await startJob(system, jobId);
  await server.savePart(job, 'transcribe', { fromMs: 0, toMs: 60_000, rows: said });
  await server.savePart(job, 'ocr', { fromMs: 0, toMs: 60_000, rows: read });
  await server.finish(job, runReport([{ name: 'transcribe' }, { name: 'ocr' }]), {});
  await settleJobs(system.core, { jobId });
  return jobId;
}

describe('the search', () => {
  it('finds what was said, what could be read and how files are called', async () => {
    const jobId = await analysed(
      'Zeppelin über München.mp4',
      [segment('we saw the zeppelin rise', 5000), segment('then it landed', 9000)],
      [seen('ZEPPELIN MUSEUM', 7000, 't1')],
    );
    const hits = await hitsOf('zeppelin');
    expect(hits.map(({ kind, startMs }: Json) => [kind, startMs])).toEqual([
      ['name', 0],
      ['speech', 5300],
      ['text', 7000],
    ]);
    expect(hits[1]).toMatchObject({
      jobId,
      name: 'Zeppelin über München.mp4',
      mediumKind: 'audio',
      snippet: 'we saw the zeppelin rise',
      marks: [{ from: 11, to: 19 }],
    });
    expect((await hitsOf('zeppelin', { kind: 'text' })).map((hit: Json) => hit.kind)).toEqual(['text']);
    expect((await hitsOf('zeppelin', { kind: 'speech,name' })).map((hit: Json) => hit.kind)).toEqual([
      'name',
      'speech',
    ]);
    for (const q of ['munchen', 'MUENCHEN', 'münch', '"über münchen"'])
      expect((await hitsOf(q)).map((hit: Json) => hit.kind)).toEqual(['name']);
    expect(await hitsOf('"zeppelin saw"')).toEqual([]);
    expect((await hitsOf('zeppelin -museum', { kind: 'text' })).length).toBe(0);
  });

  it('takes any text for a query', async () => {
    for (const q of [
      "'",
      '"',
      '\\',
      ':*',
      '<->',
      '!!',
      '&|',
      "'; drop table jobs --",
      '\u0000',
      '½ ¼',
      '\ud800',
      '🎥',
    ])
      expect(await hitsOf(q)).toEqual([]);
    expect((await system.api('GET', '/search', { query: { q: '' } })).status).toBe(400);
  });

  it('has what is seen over several parts once, where it begins', async () => {
    const jobId = await system.uploadedJob({ analyses: ['ocr'] });
    const { server, job } = await startJob(system, jobId);
    for (const fromMs of [0, 500, 1000])
      await server.savePart(job, 'ocr', { fromMs, toMs: fromMs + 500, rows: [seen('quokka', fromMs, 't9')] });
    expect((await hitsOf('quokka')).map((hit: Json) => [hit.jobId, hit.startMs])).toEqual([[jobId, 0]]);
  });

  it('has nothing of others, of what was deleted or of what has never begun', async () => {
    await system.strangersJob();
    await system.core.sql`update media set name = 'axolotl stranger' where media_id in (
      select media_id from jobs where user_id <> ${'0'.repeat(26)})`;
    await system.uploadedJob({ name: 'axolotl queued' });
    const own = await analysed('axolotl mine', [segment('an axolotl', 0)]);
    expect((await hitsOf('axolotl')).map((hit: Json) => [hit.jobId, hit.kind])).toEqual([
      [own, 'name'],
      [own, 'speech'],
    ]);
    await system.api('DELETE', `/${own}`);
    expect(await hitsOf('axolotl')).toEqual([]);
  });

  it('comes in pages that together have every hit once', async () => {
    const jobs = await Promise.all(
      [1, 2, 3].map((n) =>
        analysed(
          `narwhal ${n}`,
          [0, 1, 2, 3].map((i) => segment('narwhal', 1000 * i)),
        ),
      ),
    );
    const whole = await search('narwhal', { limit: '100' });
    expect(whole).toMatchObject({ nextCursor: null, isCut: false });
    expect(whole.hits).toHaveLength(15);
    expect(new Set(whole.hits.slice(0, 5).map((hit: Json) => hit.jobId)).size).toBe(1);
    expect(new Set(whole.hits.map((hit: Json) => hit.jobId))).toEqual(new Set(jobs));
    const paged: Json[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Json = await search('narwhal', { limit: '4', ...(cursor ? { cursor } : {}) });
      paged.push(...page.hits);
      cursor = page.nextCursor;
    }
    expect(paged).toEqual(whole.hits);
  });

  it.each([{ kind: 'faces' }, { limit: '0' }, { cursor: 'x' }, { cursor: 'WzFd' }])(
    'refuses %j',
    async (query) => {
      expect((await system.api('GET', '/search', { query: { q: 'a', ...query } as never })).status).toBe(400);
    },
  );

  it('needs a token of a user', async () => {
    expect((await system.api('GET', '/search', { query: { q: 'a' }, token: null })).status).toBe(401);
  });
});

describe('of a job that is cut', () => {
  it('the pieces count as the job, each within what it owns, and once only', async () => {
    const { core } = system;
    const jobId = await system.uploadedJob({ analyses: ['transcribe'] });
    const pieces = await cutJob(core, jobId);
    expect(pieces).toHaveLength(2);
    for (const [index, pieceId] of pieces.entries()) {
      const { server, job } = await startJob(system, pieceId);
      const { fromMs, toMs } = job.range!;
      // Both have heard the second one; the second piece owns it.
      const rows = [segment('ibex early', 1000), segment('ibex late', 31_000)].filter(
        ({ startMs }) => startMs >= fromMs && startMs < toMs,
      );
      expect(rows).toHaveLength(index === 0 ? 2 : 1);
      await server.savePart(job, 'transcribe', { fromMs, toMs, rows });
      await server.finish(job, runReport([{}]), { durationMs: 60_000 });
      if (index === 1) break;
      expect((await hitsOf('ibex')).map((hit: Json) => [hit.jobId, hit.startMs])).toEqual([[jobId, 1000]]);
    }
    expect((await hitsOf('ibex')).map((hit: Json) => [hit.jobId, hit.startMs])).toEqual([
      [jobId, 1000],
      [jobId, 31_000],
    ]);
    await settleJobs(core);
    expect((await hitsOf('ibex')).map((hit: Json) => [hit.jobId, hit.startMs])).toEqual([
      [jobId, 1000],
      [jobId, 31_000],
    ]);
  });
});
