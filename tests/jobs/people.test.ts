import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { settleJobs } from '../../functions/core/jobs/settle.ts';
import { encodeEmbedding } from '../../functions/core/results/embeddings.ts';
import type { ResultRow } from '../../functions/core/results/rows.ts';
import { cutJob } from './cut-job.ts';
import { runReport } from './rows.ts';
import { type Json, type System, startJob, startSystem } from './system.ts';

let system: System;
beforeEach(async () => {
  system ??= await startSystem();
  await system.core.sql`delete from jobs`;
  await system.core.sql`update users set people_off = false`;
}, 120_000);
afterAll(() => system?.stop());

/** Vectors of people who look nothing like each other; `shade` moves one a little. */
const looks = ['anna', 'berta', 'carla'] as const;
type Look = (typeof looks)[number];
function vector(look: Look, shade = 0): string {
  const values = new Float32Array(8);
  values[looks.indexOf(look)] = Math.cos(shade);
  values[7] = Math.sin(shade);
  return encodeEmbedding(values);
}

function face(trackId: string, look: Look, startMs: number, shade = 0): ResultRow {
  const box = { x: 0.1, y: 0.1, w: 0.2, h: 0.2 };
  return {
    ...{ kind: 'face', trackId, startMs, endMs: startMs + 1000, confidence: 1 },
    samples: [{ tMs: startMs, box, landmarks: [], quality: 0.8 }],
    ...{ embedding: vector(look, shade), embeddingSpace: 'test', thumbnail: `faces/${trackId}.webp` },
  };
}

const personRow = (personId: string, trackIds: string[]): ResultRow => ({
  ...{ kind: 'person', personId, startMs: 0, endMs: 10_000, cohesion: null, trackIds },
});

/** A settled job in which these are seen, p1, p2, … in this order. */
async function film(people: [Look, number?][], name = 'a.mp4'): Promise<string> {
  const jobId = await system.uploadedJob({ name, analyses: ['faces'] });
  const { server, job } = await startJob(system, jobId);
  const rows = people.flatMap(([look, shade], i) => [
    face(`f${i + 1}`, look, i * 2000, shade),
    personRow(`p${i + 1}`, [`f${i + 1}`]),
  ]);
  await server.savePart(job, 'faces', { fromMs: 0, toMs: 10_000, rows });
  await server.finish(job, runReport([{ name: 'faces' }]), { kind: 'video', durationMs: 10_000 });
  await settleJobs(system.core, { jobId });
  for (const index of people.keys())
    await system.core.bucket.write(
      `results/${jobId}/faces/f${index + 1}.webp`,
      Buffer.from('x'),
      'image/webp',
    );
  return jobId;
}

const api = (method: string, path: string, body?: unknown, query: Record<string, string> = {}) =>
  system.api(method, path, body === undefined ? { query } : { query, body });
const people = async (query?: Record<string, string>): Promise<Json[]> =>
  (await api('GET', '/people', undefined, query)).body.people;
const resultOf = async (jobId: string): Promise<Json> => (await api('GET', `/${jobId}/result`)).body;
const inLibrary = async (jobId: string): Promise<Json[]> =>
  (await resultOf(jobId)).people.map((one: Json) => one.libraryPersonId);

async function membersLeft(): Promise<number> {
  const [row] = await system.core.sql<{ n: number }[]>`select count(*)::int as n from library_people_members`;
  return row!.n;
}

describe('people of a library', () => {
  it('are the same over media where they look alike, and others are founded', async () => {
    const first = await film([['anna'], ['berta']]);
    const second = await film([['anna', 0.3], ['carla']]);
    const [[anna, berta], [again, carla]] = [await inLibrary(first), await inLibrary(second)];
    expect(again).toBe(anna);
    expect(new Set([anna, berta, carla]).size).toBe(3);
    expect((await people()).map((one) => [one.libraryPersonId, one.media])).toEqual([
      [anna, 2],
      ...[berta, carla].toSorted().map((id) => [id, 1]),
    ]);
    const { body } = await api('GET', `/people/${anna}`);
    expect(body.seen).toEqual([
      { jobId: second, personId: 'p1', name: 'a.mp4' },
      { jobId: first, personId: 'p1', name: 'a.mp4' },
    ]);
  });

  it('stay as they are where a job is settled again, also where they were sorted by hand', async () => {
    const first = await film([['anna']]);
    const second = await film([['anna', 0.2]]);
    const [anna] = await inLibrary(first);
    const { body } = await api('POST', `/people/${anna}/split`, { jobId: second, personId: 'p1' });
    expect(body.seen.map((one: Json) => one.jobId)).toEqual([second]);
    const before = await system.core.sql`select * from library_people_members order by job_id`;
    await system.core.sql`update jobs set settled_at = null`;
    expect((await settleJobs(system.core)).toSorted()).toEqual([first, second].toSorted());
    expect(await system.core.sql`select * from library_people_members order by job_id`).toEqual(before);
  });

  it('are founded once where two jobs are settled at the same moment', async () => {
    const jobs = await Promise.all([film([['anna']]), film([['anna', 0.1]]), film([['anna', 0.2]])]);
    const ids = await Promise.all(jobs.map(inLibrary));
    expect(new Set(ids.flat()).size).toBe(1);
  });

  it('have names that every result shows as they are now', async () => {
    const jobId = await film([['anna']]);
    const [anna] = await inLibrary(jobId);
    await api('PATCH', `/people/${anna}`, { name: ' Anna\u0007Müller ' });
    expect((await resultOf(jobId)).people[0]).toMatchObject({ libraryPersonId: anna, name: 'Anna Müller' });
    expect((await api('GET', `/${jobId}/dossier.txt`)).body).toContain('Anna Müller');
    await api('PATCH', `/people/${anna}`, { name: null, isHidden: true });
    expect((await resultOf(jobId)).people[0].name).toBeNull();
    expect(await people()).toEqual([]);
    expect((await people({ hidden: 'true' }))[0]).toMatchObject({ libraryPersonId: anna, isHidden: true });
  });

  it('can be merged, and the name stays', async () => {
    const jobId = await film([['anna'], ['berta']]);
    const [anna, berta] = await inLibrary(jobId);
    await api('PATCH', `/people/${berta}`, { name: 'Berta' });
    const { body } = await api('POST', `/people/${anna}/merge`, { libraryPersonId: berta });
    expect(body).toMatchObject({ libraryPersonId: anna, name: 'Berta', media: 1 });
    expect(body.seen).toHaveLength(2);
    expect(await inLibrary(jobId)).toEqual([anna, anna]);
    expect((await api('GET', `/people/${berta}`)).status).toBe(404);
    expect((await api('POST', `/people/${anna}/merge`, { libraryPersonId: anna })).status).toBe(409);
    expect((await api('POST', `/people/${anna}/merge`, { libraryPersonId: berta })).status).toBe(404);
  });

  it('show the best of their pictures', async () => {
    const [anna] = await inLibrary(await film([['anna']]));
    const { status, headers } = await api('GET', `/people/${anna}/cover`);
    expect(status).toBe(302);
    expect(await (await fetch(String(headers.location))).text()).toBe('x');
  });

  it('come in pages', async () => {
    await film([['anna'], ['berta'], ['carla']]);
    await film([['berta']]);
    const first = (await api('GET', '/people', undefined, { limit: '2' })).body;
    const second = (await api('GET', '/people', undefined, { limit: '2', cursor: first.nextCursor })).body;
    expect([...first.people, ...second.people]).toEqual(await people());
    expect(second).toMatchObject({ nextCursor: null, isOn: true });
    expect((await api('GET', '/people', undefined, { cursor: 'eA' })).status).toBe(400);
  });

  it('lose the part of a job that is deleted, and are gone with the last', async () => {
    const [first, second] = [await film([['anna'], ['berta']]), await film([['anna']])];
    const [anna] = await inLibrary(second);
    await api('DELETE', `/${first}`);
    expect((await people()).map((one) => [one.libraryPersonId, one.media])).toEqual([[anna, 1]]);
    await api('DELETE', `/${second}`);
    expect(await people()).toEqual([]);
    expect(await membersLeft()).toBe(0);
  });

  it('are nobody else’s', async () => {
    const jobId = await film([['anna']]);
    const [anna] = await inLibrary(jobId);
    const strange = '7'.repeat(26);
    await system.database
      .admin`insert into users (user_id, name) values (${strange}, 'other') on conflict do nothing`;
    await system.database.admin`update library_people set user_id = ${strange}`;
    for (const [method, path, body] of [
      ['GET', `/people/${anna}`],
      ['GET', `/people/${anna}/cover`],
      ['PATCH', `/people/${anna}`, { name: 'x' }],
      ['POST', `/people/${anna}/split`, { jobId, personId: 'p1' }],
      ['DELETE', `/people/${anna}`],
    ] as const)
      expect([path, (await api(method, path, body)).status]).toEqual([path, 404]);
    expect(await people()).toEqual([]);
    await film([['anna']]);
    expect((await people())[0].libraryPersonId).not.toBe(anna);
  });
});

describe('a person who is deleted', () => {
  /** Everything in the database and the store that is of a face. */
  async function tracesOf(jobId: string) {
    const { sql, bucket } = system.core;
    const [row] = await sql`
      select (select count(*)::int from faces f join jobs j using (job_id) where coalesce(parent_job_id, job_id) = ${jobId}) as faces,
        (select count(*)::int from people p join jobs j using (job_id) where coalesce(parent_job_id, job_id) = ${jobId}) as people`;
    const pictures: string[] = [];
    for await (const { key } of bucket.list(`results/${jobId}/faces/`)) pictures.push(key.split('/').pop()!);
    return { ...row, pictures };
  }

  it('is gone from every result, with all vectors and pictures; others stay', async () => {
    const [first, second] = [await film([['anna'], ['berta']]), await film([['berta'], ['anna', 0.1]])];
    const [anna, berta] = await inLibrary(first);
    expect((await api('DELETE', `/people/${anna}`)).status).toBe(204);
    expect(await tracesOf(first)).toEqual({ faces: 1, people: 1, pictures: ['f2.webp'] });
    expect(await tracesOf(second)).toEqual({ faces: 1, people: 1, pictures: ['f1.webp'] });
    for (const jobId of [first, second]) {
      const result = await resultOf(jobId);
      expect(result.people).toHaveLength(1);
      expect(result.people[0].libraryPersonId).toBe(berta);
      expect(result.faces).toHaveLength(1);
    }
    expect(await membersLeft()).toBe(2);
    expect((await api('DELETE', `/people/${anna}`)).status).toBe(404);
  });

  it('is gone from the pieces of a job that was cut', async () => {
    const { core } = system;
    const jobId = await system.uploadedJob({ analyses: ['faces'] });
    await core.sql`update media set kind = 'video' where media_id = ${jobId}`;
    const pieces = await cutJob(core, jobId);
    for (const [index, pieceId] of pieces.entries()) {
      const { server, job } = await startJob(system, pieceId);
      // Both see somebody at 31 s, which the second piece owns.
      const seen = index === 0 ? [1000, 31_000] : [31_000, 50_000];
      const rows = [
        face('f1', 'anna', seen[0]!),
        face('f2', 'anna', seen[1]!),
        face('f3', 'berta', seen[1]!),
        personRow('p1', ['f1', 'f2']),
        personRow('p2', ['f3']),
      ];
      await server.savePart(job, 'faces', { fromMs: job.range!.fromMs, toMs: job.range!.toMs, rows });
      await server.finish(job, runReport([{ name: 'faces' }]), { kind: 'video', durationMs: 60_000 });
    }
    await settleJobs(core);
    const result = await resultOf(jobId);
    const anna = result.people.find((one: Json) => one.trackIds.length > 1).libraryPersonId;
    await api('DELETE', `/people/${anna}`);
    const left = await core.sql<{ embedding: Buffer }[]>`select embedding from faces`;
    expect(left.length).toBeGreaterThan(0);
    expect(left.map((row) => row.embedding.toString('base64'))).not.toContain(vector('anna'));
    expect((await resultOf(jobId)).people.map((one: Json) => one.libraryPersonId)).not.toContain(anna);
  });
});

describe('switched off', () => {
  it('nobody is grouped over media, and what was known of them is gone', async () => {
    const jobId = await film([['anna']]);
    expect((await api('PUT', '/people/settings', { isOn: false })).status).toBe(204);
    expect(await membersLeft()).toBe(0);
    expect((await resultOf(jobId)).people[0]).toMatchObject({
      personId: 'p1',
      libraryPersonId: null,
      name: null,
    });
    expect((await resultOf(jobId)).faces).toHaveLength(1);
    const later = await film([['anna']]);
    expect(await inLibrary(later)).toEqual([null]);
    expect((await api('GET', '/people')).body).toEqual({ isOn: false, people: [], nextCursor: null });
    await api('PUT', '/people/settings', { isOn: true });
    expect((await inLibrary(await film([['anna']])))[0]).not.toBeNull();
  });
});

it('tells nothing of a face in events', async () => {
  const jobId = await film([['anna']]);
  const events = await system.core.sql`select type, data from events where job_id = ${jobId}`;
  expect(JSON.stringify(events)).not.toMatch(/person|people|face|embedding/i);
});
