/** Pictures that are like a picture. The vectors are made up: in the plane, so that their cosines are plain to see. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeEmbedding } from '../../functions/core/results/embeddings.ts';
import { featurelessHash } from '../../functions/core/results/pictures-alike.ts';
import type { PictureRow } from '../../functions/core/results/rows.ts';
import { sketchOf } from '../../functions/core/results/sketch.ts';
import { type Json, type System, startJob, startSystem } from './system.ts';

let system: System;
beforeAll(async () => {
  system = await startSystem();
});
afterAll(() => system.stop());

/** Of length 1; its cosine with the one of 0 degrees is that of the angle. */
function vector(degrees: number): Float32Array {
  const direction = new Float32Array(1280);
  direction[3] = Math.cos((degrees * Math.PI) / 180);
  direction[700] = Math.sin((degrees * Math.PI) / 180);
  return direction;
}

interface Seen {
  id?: string;
  hash?: string;
  /** null: no vector. */
  degrees?: number | null;
  space?: string;
}

let lastHash = 0;
/** Far from all others: they differ in their last digits only where that is said. */
const otherHash = () => (0x1111_2222n * BigInt(++lastHash) ** 5n).toString(16).padStart(16, 'f').slice(-16);

function picture({ id = 'p1', hash = otherHash(), degrees = 0, space = 'test' }: Seen): PictureRow {
  const embedding = degrees === null ? null : vector(degrees);
  return {
    ...{ kind: 'picture', pictureId: id, startMs: 1000, endMs: 2000, keyframeMs: 1000, perceptualHash: hash },
    embedding: embedding && encodeEmbedding(embedding),
    embeddingSpace: embedding && space,
    sketch: embedding && sketchOf(embedding),
    thumbnail: `pictures/${id}.webp`,
  };
}

async function jobWith(...seen: Seen[]): Promise<string> {
  const jobId = await system.uploadedJob({ name: 'film.mp4', analyses: ['similarity'] });
  const { server, job } = await startJob(system, jobId);
  const rows = seen.map(picture);
  await server.savePart(job, 'similarity', { fromMs: 0, toMs: 2000, rows });
  // It lasts over the next part, where it is not described again.
  const [first] = rows;
  const goesOn = {
    ...first!,
    startMs: 2000,
    endMs: 4000,
    embedding: null,
    embeddingSpace: null,
    sketch: null,
  };
  await server.savePart(job, 'similarity', { fromMs: 2000, toMs: 4000, rows: [goesOn] });
  return jobId;
}

async function similar(jobId: string, query: Record<string, string> = {}): Promise<Json[]> {
  const { status, body } = await system.api('GET', `/${jobId}/similar`, {
    query: { pictureId: 'p1', ...query },
  });
  expect(status).toBe(200);
  return body.pictures;
}

/** Each test has a space of its own, so that none sees the pictures of another. */
const places = (found: Json[]) => found.map(({ jobId, pictureId }) => [jobId, pictureId]);

it('finds them in all jobs, the most alike first, each once', async () => {
  const space = 'order';
  const near = await jobWith({ degrees: 20, space }, { id: 'p2', degrees: 50, space });
  const far = await jobWith({ degrees: 80, space });
  const subject = await jobWith({ degrees: 0, space }, { id: 'p2', degrees: 30, space });
  const found = await similar(subject);
  expect(places(found)).toEqual([
    [near, 'p1'],
    [subject, 'p2'],
    [near, 'p2'],
  ]);
  expect(found[0]).toMatchObject({
    ...{ mediumName: 'film.mp4', mediumKind: 'audio', startMs: 1000, keyframeMs: 1000 },
    thumbnail: `/function/jobs/${near}/pictures/pictures/p1.webp`,
    similarity: expect.closeTo(Math.cos((20 * Math.PI) / 180), 4),
  });
  expect(places(await similar(subject, { limit: '1' }))).toEqual([[near, 'p1']]);
  expect(places(await similar(subject, { elsewhere: 'true' }))).toEqual([
    [near, 'p1'],
    [near, 'p2'],
  ]);
  expect(places(await similar(subject, { minSimilarity: '0.1' })).at(-1)).toEqual([far, 'p1']);
});

it('puts copies first, by whatever model they were described', async () => {
  const hash = 'abcdef0123456789';
  const alike = await jobWith({ degrees: 5, space: 'copies' });
  const copy = await jobWith({ degrees: 25, space: 'copies', hash: 'abcdef0123456788' });
  const elsewise = await jobWith({ degrees: 0, space: 'copies-2', hash: 'abcdef0123456000' });
  const bare = await jobWith({ degrees: null, hash: 'abcdef012345679f' });
  const subject = await jobWith({ hash, space: 'copies' });
  const found = await similar(subject);
  expect(places(found).slice(0, 4)).toEqual([copy, bare, elsewise, alike].map((jobId) => [jobId, 'p1']));
  expect(found.map((one) => [one.hashDistance, one.similarity === null]).slice(0, 3)).toEqual([
    [1, false],
    [3, true],
    [6, true],
  ]);
});

it('compares no vectors of two models', async () => {
  const other = await jobWith({ space: 'models-2' });
  const subject = await jobWith({ space: 'models' });
  expect(places(await similar(subject))).not.toContainEqual([other, 'p1']);
});

it('finds nothing for a picture without anything in it, and never finds such', async () => {
  const black = await jobWith({ hash: featurelessHash, degrees: null });
  await jobWith({ hash: featurelessHash, degrees: null });
  expect(await similar(black)).toEqual([]);
  const nearlyBlack = await jobWith({ hash: '0000000000000003', degrees: null });
  expect(await similar(nearlyBlack)).toEqual([]);
});

it('shows nobody the pictures of somebody else, nor those of a piece', async () => {
  const space = 'owners';
  const [strangers, piece] = [await jobWith({ space }), await jobWith({ space })];
  const subject = await jobWith({ space });
  const { admin } = system.database;
  const userId = strangers.replace(/^./, '7');
  await admin`insert into users (user_id, name) values (${userId}, ${userId})`;
  await admin`update jobs set user_id = ${userId} where job_id = ${strangers}`;
  await admin`
    update jobs set parent_job_id = ${subject}, piece = 1, piece_from_ms = 0, piece_to_ms = 4000, overlap_ms = 0
    where job_id = ${piece}`;
  expect(places(await similar(subject))).toEqual([]);
  const { status, body } = await system.api('GET', `/${strangers}/similar`, { query: { pictureId: 'p1' } });
  expect([status, body.code]).toEqual([404, 'not_found']);
});

it('says what is wrong with a question', async () => {
  const jobId = await jobWith({ space: 'questions' });
  const ask = async (query: Record<string, string>) => {
    const { status, body } = await system.api('GET', `/${jobId}/similar`, { query });
    return [status, body.detail];
  };
  expect(await ask({ pictureId: 'p9' })).toEqual([404, 'The job has no picture p9.']);
  expect((await ask({}))[0]).toBe(400);
  expect((await ask({ pictureId: 'p1', limit: '0' }))[0]).toBe(400);
  expect((await ask({ pictureId: 'p1\0' }))[0]).toBe(400);
});

it('is not led astray by a vector that is none', async () => {
  const space = 'hostile';
  const hostile = await system.uploadedJob({ analyses: ['similarity'] });
  const { server, job } = await startJob(system, hostile);
  const rows = [
    { ...picture({ space }), embedding: Buffer.alloc(8, 0xff).toString('base64') },
    { ...picture({ id: 'p2', space }), embedding: Buffer.alloc(1280 * 4, 0xff).toString('base64') },
    { ...picture({ id: 'p3', space }), embedding: Buffer.alloc(1280 * 4, 0x7e).toString('base64') },
  ];
  await server.savePart(job, 'similarity', { fromMs: 0, toMs: 2000, rows });
  const subject = await jobWith({ space });
  for (const { similarity } of await similar(subject)) expect(similarity).toBeLessThanOrEqual(1);
});
