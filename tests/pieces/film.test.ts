/**
 * A real film in three pieces over two real workers, beside the same film analysed in one go. The cuts
 * lie at 20 s, in a slide, and at 40 s, where somebody is in the picture. What each run found:
 *
 * - Scenes and the frames that are looked at depend on nothing before them: equal to the millisecond.
 * - The recogniser decodes from the beginning of a stretch of speech, which is another one in a piece:
 *   as many words, their times within 400 ms; one in twenty may be
 *   another one that sounds alike (americans, american).
 * - Texts: the best reading of each sign may be of another frame, so times are compared, and what it
 *   says but for the few letters that the reader wavers about.
 * - Faces: as many people, seen at the same times up to the 500 ms between two frames.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cut, overlapMs } from '../../functions/core/jobs/split.ts';
import {
  joinFaces,
  joinPeople,
  joinScenes,
  joinTexts,
  segmentsOf,
} from '../../functions/core/results/join.ts';
import type { ResultRow } from '../../functions/core/results/rows.ts';
import type { ResultDocument } from '../../functions/core/results/schema.ts';
import { textSimilarity } from '../../functions/core/results/similarity.ts';
import { modelsOf } from '../../gpu-worker/analyzers/analyzer.ts';
import { analyzers } from '../../gpu-worker/analyzers/index.ts';
import { findMeans } from '../../gpu-worker/analyzers/means.ts';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';
import { analyzeMedium } from '../../gpu-worker/pipeline.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { type Client, startClient } from '../thread/client.ts';

const analyses = ['transcribe', 'ocr', 'faces', 'scenes'];
const wordMs = 400;
const otherWords = 0.05;
const frameMs = 500;
const textFrameMs = 1000;

let client: Client;
let media: TestMedia;
let jobId: string;
let split: ResultDocument;
let whole: ResultRow[];
beforeAll(async () => {
  // 24 s at the most: three pieces of 20 s.
  const env = { AIMA_SPLIT_ABOVE_MINUTES: '0.4', AIMA_LOCAL_SLOTS: '2' };
  [media, client] = await Promise.all([testMedia(), startClient({ models: true, env })]);
  jobId = await client.send(media.talk, { analyses });
  expect(await client.finished(jobId)).toMatchObject({ state: 'succeeded', progress: 1, error: null });
  split = await client.result(jobId);
  whole = await analyzeWhole(media.talk);
}, 500_000);
afterAll(() => client?.remove());

async function analyzeWhole(path: string): Promise<ResultRow[]> {
  const chosen = analyzers.filter((analyzer) => analyses.includes(analyzer.name));
  const dir = modelsDir(process.env);
  // As the workers of the stack decide it.
  const means = await findMeans('packaged', dir);
  await ensureModels([...new Set(chosen.flatMap((analyzer) => modelsOf(analyzer, means)))], { dir });
  const rows: ResultRow[] = [];
  await analyzeMedium({
    source: { path },
    analyzers: chosen,
    models: openModelStore({ dir, threads: 2, means }),
    language: null,
    threads: 2,
    signal: new AbortController().signal,
    savePicture: async (name) => name,
    onPart: async (_, part) => void rows.push(...part.rows),
  });
  return rows;
}

it('was analysed in three pieces by two machines, each of which had its own stretch', async () => {
  const pieces = await client.sql`
    select piece_from_ms as from_ms, piece_to_ms as to_ms, j.state,
      (select min(from_ms) from parts p where p.job_id = j.job_id) as first_ms,
      (select max(to_ms) from parts p where p.job_id = j.job_id) as last_ms
    from jobs j where parent_job_id = ${jobId} order by piece`;
  // By what the file said of itself when it came: a frame more than there is.
  const stretches = cut(60_040, { longestMs: 24_000, mostPieces: 4 });
  expect(stretches).toHaveLength(3);
  expect(pieces).toEqual(
    stretches.map(({ fromMs, toMs }) => ({
      ...{ fromMs, toMs, state: 'succeeded' },
      firstMs: Math.max(0, fromMs - overlapMs),
      lastMs: Math.min(media.talkTruth.durationMs, toMs + overlapMs),
    })),
  );
  const [used] = await client.sql`
    select count(distinct instance_id)::int as instances from attempts
    where job_id in (select job_id from jobs where parent_job_id = ${jobId})`;
  expect(used).toEqual({ instances: 2 });
});

it('is one job to its owner', async () => {
  const list = (await (await client.call('GET', 'jobs')).json()) as { jobs: { jobId: string }[] };
  expect(list.jobs.map((job) => job.jobId)).toEqual([jobId]);
  expect(split).toMatchObject({ status: 'complete', state: 'succeeded', notes: expect.any(Array) });
  expect(split.run!.analyzers.map(({ name, status }) => [name, status])).toEqual(
    analyses.map((name) => [name, 'ok']),
  );
});

it('has each word once, where it is said', () => {
  const [expected, actual] = [segmentsOf(whole), split.transcript!.segments].map((segments) =>
    segments.flatMap((segment) => segment.words),
  );
  expect(actual).toHaveLength(expected!.length);
  const others = actual!.filter((word, index) => word.text !== expected![index]!.text);
  expect(others.length / actual!.length).toBeLessThanOrEqual(otherWords);
  for (const [index, word] of actual!.entries()) {
    expect(Math.abs(word.startMs - expected![index]!.startMs)).toBeLessThanOrEqual(wordMs);
    expect(Math.abs(word.endMs - expected![index]!.endMs)).toBeLessThanOrEqual(wordMs);
    expect(word.startMs).toBeGreaterThan(actual![index - 1]?.startMs ?? -1);
  }
  for (const { text, words } of split.transcript!.segments)
    expect(text).toBe(words.map((word) => word.text).join(' '));
});

it('has its scenes, with a picture of each', async () => {
  const times = (scenes: { startMs: number; endMs: number }[]) =>
    scenes.map((one) => [one.startMs, one.endMs]);
  expect(times(split.scenes!)).toEqual(times(joinScenes(whole)));
  for (const { startMs, endMs, keyframeMs, thumbnail } of split.scenes!) {
    expect(keyframeMs).toBeGreaterThanOrEqual(startMs);
    expect(keyframeMs).toBeLessThan(endMs);
    expect((await client.call('GET', `jobs/${jobId}/pictures/${thumbnail}`)).status).toBe(302);
  }
  const pictures = client.sql`select distinct result_prefix from job_access`;
  expect(await pictures).toEqual([]);
});

describe('what is followed', () => {
  it('texts are those of one go', () => {
    const expected = joinTexts(whole);
    expect(split.texts!.length).toBe(expected.length);
    for (const { text, instances } of split.texts!) {
      const same = expected.find(
        (one) =>
          textSimilarity(one.text, text) >= 0.8 &&
          one.instances.length === instances.length &&
          one.instances.every(
            (instance, index) =>
              Math.abs(instance.startMs - instances[index]!.startMs) <= textFrameMs &&
              Math.abs(instance.endMs - instances[index]!.endMs) <= textFrameMs,
          ),
      );
      expect(same, `${text} ${JSON.stringify(instances)}`).toBeDefined();
    }
  });

  it('faces and people are those of one go', () => {
    const stretches = (all: { startMs: number; endMs: number }[]) =>
      all.map(({ startMs, endMs }) => [startMs, endMs].map((ms) => Math.round(ms / frameMs)));
    expect(stretches(split.faces!)).toEqual(stretches(joinFaces(whole)));
    const expected = joinPeople(whole);
    expect(split.people!.length).toBe(expected.length);
    expect(stretches(split.people!)).toEqual(stretches(expected));
    expect(split.people!.map((person) => person.trackIds.length)).toEqual(
      expected.map((person) => person.trackIds.length),
    );
  });
});
