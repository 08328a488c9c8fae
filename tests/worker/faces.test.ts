import { existsSync } from 'node:fs';
import path from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeEmbedding, dot } from '../../functions/core/results/embeddings.ts';
import type { FaceRow, PersonRow } from '../../functions/core/results/rows.ts';
import { faces } from '../../gpu-worker/analyzers/faces.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { type Analysis, analyzeFilm, analyzePicture } from './picture-analysis.ts';

let media: TestMedia;
beforeAll(async () => {
  media = await testMedia();
}, 300_000);

const faceRows = ({ rows }: Pick<Analysis, 'rows'>) =>
  rows.filter((row): row is FaceRow => row.kind === 'face');
const personRows = ({ rows }: Pick<Analysis, 'rows'>) =>
  rows.filter((row): row is PersonRow => row.kind === 'person');

/** Who of the film's persons is seen at a time. */
const seenAt = (tMs: number) =>
  media.talkTruth.persons.find(({ startMs, endMs }) => tMs >= startMs && tMs < endMs)?.person;

/** For each person found, which of the film's persons its faces show. */
function whoIsWho(rows: FaceRow[], persons: PersonRow[]): string[] {
  return persons.map(({ trackIds }) => {
    const samples = rows.filter((row) => trackIds.includes(row.trackId)).flatMap((row) => row.samples);
    return [...new Set(samples.map((sample) => seenAt(sample.tMs) ?? 'nobody'))].sort().join('+');
  });
}

describe('a film with two people in two shots each', () => {
  let analysis: Analysis;
  beforeAll(async () => {
    analysis = await analyzeFilm(faces, media.talk);
  }, 300_000);

  test('finds the faces where people are, and nowhere else', () => {
    const times = faceRows(analysis).flatMap((row) => row.samples.map((sample) => sample.tMs));
    expect(times.filter((tMs) => !seenAt(tMs))).toEqual([]);
    for (const { startMs, endMs } of media.talkTruth.persons) {
      const due = (endMs - startMs) / 500;
      const found = times.filter((tMs) => tMs >= startMs && tMs < endMs).length;
      expect(found).toBeGreaterThanOrEqual(due * 0.8);
      expect(found).toBeLessThanOrEqual(due + 1);
    }
  });

  test('tells the two apart and knows each again in another light, mirrored and nearer', () => {
    expect(whoIsWho(faceRows(analysis), personRows(analysis)).sort()).toEqual(['A', 'B']);
    expect(personRows(analysis).map((person) => person.personId)).toEqual(['p1', 'p2']);
    for (const person of personRows(analysis)) expect(person.cohesion).toBeGreaterThan(0.65);
  });

  test('rows lie in their parts and carry vectors of length 1', () => {
    for (const row of faceRows(analysis)) {
      expect(row.endMs).toBeGreaterThan(row.startMs);
      for (const sample of row.samples) {
        expect(sample.tMs).toBeGreaterThanOrEqual(row.startMs);
        expect(sample.tMs).toBeLessThan(row.endMs);
        expect(sample.landmarks).toHaveLength(5);
      }
      const embedding = decodeEmbedding(row.embedding);
      expect(embedding).toHaveLength(1024);
      expect(dot(embedding, embedding)).toBeCloseTo(1, 4);
    }
  });

  test('keeps a small picture of every track', async () => {
    const rows = faceRows(analysis);
    expect([...analysis.pictures.keys()].sort()).toEqual(
      [...new Set(rows.map((row) => row.thumbnail!))].sort(),
    );
    for (const bytes of analysis.pictures.values()) {
      const { format, width, height } = await sharp(bytes).metadata();
      expect(format).toBe('webp');
      expect(Math.max(width, height)).toBeLessThanOrEqual(256);
      const { channels } = await sharp(bytes).stats();
      expect(channels[0]!.stdev).toBeGreaterThan(5);
    }
  });

  test('goes on after a lost worker as if nothing had been', async () => {
    const lost = await analyzeFilm(faces, media.talk, { partMs: 9_000, stopAtMs: 34_000 });
    expect(lost.toMs).toBeGreaterThan(20_000);
    expect(lost.toMs).toBeLessThan(34_000);

    const resumed = await analyzeFilm(faces, media.talk, { after: lost });
    const rows = [...faceRows(lost), ...faceRows(resumed)];
    const samplesOf = (all: FaceRow[]) =>
      all.flatMap((row) => row.samples.map(({ tMs }) => `${row.trackId} ${tMs}`)).sort();
    expect(samplesOf(rows)).toEqual(samplesOf(faceRows(analysis)));
    expect(personRows(resumed).map((person) => person.trackIds)).toEqual(
      personRows(analysis).map((person) => person.trackIds),
    );
  }, 180_000);
});

test('a photograph gives each face once and its persons at 0', async () => {
  const analysis = await analyzePicture(faces, media.groupJpeg);
  const rows = faceRows(analysis);

  expect(rows.map((row) => row.trackId)).toEqual(['f1', 'f2', 'f3']);
  for (const row of rows) {
    expect(row).toMatchObject({ startMs: 0, endMs: 0 });
    const { box, landmarks } = row.samples[0]!;
    for (const [x, y] of landmarks) {
      expect(x).toBeGreaterThan(box.x - box.w / 4);
      expect(x).toBeLessThan(box.x + box.w * 1.25);
      expect(y).toBeGreaterThan(box.y);
      expect(y).toBeLessThan(box.y + box.h * 1.1);
    }
    const [leftEye, rightEye, nose, mouthLeft] = landmarks;
    expect(leftEye![0]).toBeLessThan(rightEye![0]);
    expect(nose![1]).toBeLessThan(mouthLeft![1]);
  }
  expect(personRows(analysis)).toEqual(
    rows.map((row, i) => ({
      kind: 'person',
      personId: `p${i + 1}`,
      startMs: 0,
      endMs: 0,
      cohesion: null,
      trackIds: [row.trackId],
    })),
  );
});

test('the same picture gives the same rows', async () => {
  const [first, second] = [await analyzePicture(faces, media.jpeg), await analyzePicture(faces, media.jpeg)];
  expect(first.rows).toEqual(second.rows);
});

test('a slide has no faces', async () => {
  const analysis = await analyzePicture(faces, media.png);
  expect(analysis.rows).toEqual([]);
  expect(analysis.outcome).toEqual({ status: 'nothing_found', reason: null });
});

const dogs = '/usr/share/forensics-samples/original-files/pic2';
test.skipIf(!existsSync(dogs))(
  'dogs have no faces (skipped without the Debian package forensics-samples-files)',
  async () => {
    for (const picture of ['IMG_20200124_231153.jpg', 'IMG_20200608_111614.jpg']) {
      expect((await analyzePicture(faces, path.join(dogs, picture))).rows).toEqual([]);
    }
  },
);
