import { beforeAll, describe, expect, test } from 'vitest';
import type { ObjectRow } from '../../functions/core/results/rows.ts';
import { objects } from '../../gpu-worker/analyzers/objects.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { type Analysis, analyzeFilm, analyzePicture } from './picture-analysis.ts';

let media: TestMedia;
beforeAll(async () => {
  media = await testMedia();
}, 300_000);

const objectRows = ({ rows }: Analysis) => rows.filter((row): row is ObjectRow => row.kind === 'object');
const people = (analysis: Analysis) => objectRows(analysis).filter((row) => row.label === 'person');

describe('a film', () => {
  let analysis: Analysis;
  beforeAll(async () => {
    analysis = await analyzeFilm(objects, media.talk);
  }, 300_000);

  test('has people where people are, and nowhere else', () => {
    const times = people(analysis).flatMap((row) => row.samples.map((sample) => sample.tMs));
    const seenAt = (tMs: number) =>
      media.talkTruth.persons.some(({ startMs, endMs }) => tMs >= startMs && tMs < endMs);
    expect(times.filter((tMs) => !seenAt(tMs))).toEqual([]);
    for (const { startMs, endMs } of media.talkTruth.persons) {
      const found = new Set(times.filter((tMs) => tMs >= startMs && tMs < endMs));
      expect(found.size).toBeGreaterThanOrEqual(((endMs - startMs) / 500) * 0.8);
    }
  });

  test('a track that lasts over parts keeps its id and is cut at their ends', () => {
    const byTrack = Map.groupBy(objectRows(analysis), (row) => row.trackId);
    expect([...byTrack.values()].some((rows) => rows.length > 1)).toBe(true);
    for (const rows of byTrack.values()) {
      rows.slice(1).forEach((row, i) => void expect(row.startMs).toBeGreaterThanOrEqual(rows[i]!.endMs));
      expect(new Set(rows.map((row) => row.label)).size).toBe(1);
    }
    for (const row of objectRows(analysis)) {
      expect(row.endMs).toBeGreaterThan(row.startMs);
      expect(row.endMs).toBeLessThanOrEqual(media.talkTruth.durationMs);
      for (const { tMs } of row.samples) {
        expect(tMs).toBeGreaterThanOrEqual(row.startMs);
        expect(tMs).toBeLessThan(row.endMs);
      }
    }
  });
});

test('goes on after a lost worker with the same tracks', async () => {
  const whole = await analyzeFilm(objects, media.clip);
  const lost = await analyzeFilm(objects, media.clip, { partMs: 3_000, stopAtMs: 8_000 });
  expect(lost.toMs).toBeGreaterThan(0);
  expect(lost.toMs).toBeLessThan(8_000);
  const resumed = await analyzeFilm(objects, media.clip, { after: lost });

  const samplesOf = (...analyses: Analysis[]) =>
    analyses
      .flatMap(objectRows)
      .flatMap(({ trackId, samples }) => samples.map(({ tMs }) => `${trackId} ${tMs}`))
      .sort();
  expect(samplesOf(lost, resumed)).toEqual(samplesOf(whole));
  // The worker was lost in the middle of a shot: its person is in both halves.
  expect(people(resumed)[0]!.trackId).toBe(people(lost)[0]!.trackId);
}, 180_000);

test('a photograph of three people', async () => {
  const analysis = await analyzePicture(objects, media.groupJpeg);
  expect(people(analysis)).toHaveLength(3);
  expect(analysis.outcome).toEqual({ status: 'ok', reason: null });
  for (const row of objectRows(analysis)) {
    expect(row).toMatchObject({ startMs: 0, endMs: 0, samples: [{ tMs: 0 }] });
    const { x, y, w, h } = row.samples[0]!.box;
    expect(x + w).toBeLessThanOrEqual(1.0001);
    expect(y + h).toBeLessThanOrEqual(1.0001);
  }
  // From left to right they stand side by side.
  const centres = people(analysis).map(({ samples }) => samples[0]!.box.x + samples[0]!.box.w / 2);
  const [left, middle, right] = centres.sort((a, b) => a - b);
  expect(left).toBeLessThan(0.4);
  expect(middle).toBeCloseTo(0.5, 0);
  expect(right).toBeGreaterThan(0.65);
});

test('a slide has no objects', async () => {
  const analysis = await analyzePicture(objects, media.png);
  expect(analysis.rows).toEqual([]);
  expect(analysis.outcome).toEqual({ status: 'nothing_found', reason: null });
});
