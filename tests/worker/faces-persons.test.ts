import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalised } from '../../functions/core/results/embeddings.ts';
import { averageLinkage, groupPersons } from '../../functions/core/results/persons.ts';
import { FaceAlbum, meanEmbedding } from '../../gpu-worker/analyzers/faces/album.ts';
import { isFace } from '../../gpu-worker/analyzers/faces/gate.ts';

describe('average linkage', () => {
  /**
   * The definition: merge the two most similar groups until none are similar enough. Null where two pairs
   * of groups are as good as equally similar, or one pair to the threshold: there is no one right answer.
   */
  function byDefinition(similarity: number[][], threshold: number): number[][] | null {
    const groups = similarity.map((_, i) => [i]);
    for (;;) {
      const pairs = groups.flatMap((a, i) =>
        groups.slice(i + 1).map((b, after) => {
          const sum = a.reduce((total, m) => total + b.reduce((part, n) => part + similarity[m]![n]!, 0), 0);
          return { i, j: i + 1 + after, mean: sum / (a.length * b.length) };
        }),
      );
      const [best, second] = pairs.sort((a, b) => b.mean - a.mean);
      const rivals = [threshold, ...(second && second.mean >= threshold ? [second.mean] : [])];
      // Far above what the sums of 32-bit floats can be off by.
      if (best && rivals.some((rival) => Math.abs(best.mean - rival) < 1e-5)) return null;
      if (!best || best.mean < threshold) {
        return groups.map((group) => group.sort((a, b) => a - b)).sort((a, b) => a[0]! - b[0]!);
      }
      groups[best.i]!.push(...groups.splice(best.j, 1)[0]!);
    }
  }

  /** Distinct values; about a tenth may never be merged. */
  const similarities = fc.integer({ min: 0, max: 14 }).chain((size) =>
    fc
      .uniqueArray(fc.integer({ min: -1_000_000, max: 1_000_000 }), {
        minLength: (size * (size - 1)) / 2,
        maxLength: (size * (size - 1)) / 2,
      })
      .map((values) => {
        const matrix = Array.from({ length: size }, () => Array<number>(size).fill(1));
        let next = 0;
        for (let i = 0; i < size; i++) {
          for (let j = 0; j < i; j++) {
            const value = values[next++]!;
            const similarity = value < -800_000 ? Number.NEGATIVE_INFINITY : value / 1_000_000;
            matrix[i]![j] = similarity;
            matrix[j]![i] = similarity;
          }
        }
        return matrix;
      }),
  );

  test('gives the groups of its definition', () => {
    fc.assert(
      fc.property(similarities, fc.double({ min: -0.2, max: 0.8, noNaN: true }), (matrix, threshold) => {
        const expected = byDefinition(matrix, threshold);
        fc.pre(expected !== null);
        const found = averageLinkage(
          matrix.map((row) => Float32Array.from(row)),
          threshold,
        );
        expect(found).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('ends where everything is equally alike', () => {
    const same = Array.from({ length: 50 }, () => new Float32Array(50).fill(0.7));
    expect(averageLinkage(same, 0.65)).toEqual([Array.from({ length: 50 }, (_, i) => i)]);
  });
});

describe('persons', () => {
  const track = (trackId: string, angle: number, ...seenAtMs: number[]) => ({
    trackId,
    embedding: Float32Array.of(Math.cos(angle), Math.sin(angle)),
    seenAtMs: new Set(seenAtMs),
  });

  test('like tracks are one person, with the mean of their cosines', () => {
    const persons = groupPersons([track('f1', 0, 0), track('f2', 1.5, 500), track('f3', 0.4, 1000)]);
    expect(persons).toEqual([
      { trackIds: ['f1', 'f3'], cohesion: expect.closeTo(Math.cos(0.4), 5) },
      { trackIds: ['f2'], cohesion: null },
    ]);
  });

  test('two faces in one frame are two persons, however alike', () => {
    const persons = groupPersons([
      track('f1', 0, 0, 500),
      track('f2', 0.01, 500, 1000),
      track('f3', 0.02, 2000),
    ]);
    expect(persons.map((person) => person.trackIds)).toEqual([['f1'], ['f2', 'f3']]);
  });
});

test('a track that is saved and restored keeps its mean vector', async () => {
  const frame = { tMs: 0, width: 40, height: 40, data: new Uint8Array(40 * 40 * 3).fill(90) };
  const sighting = (tMs: number, angle: number) => ({
    tMs,
    box: { x: 0.2, y: 0.2, w: 0.5, h: 0.5 },
    ...{ confidence: 0.9, landmarks: [], quality: 0.5 },
    embedding: Float32Array.of(Math.cos(angle), Math.sin(angle)),
  });
  const whole = new FaceAlbum();
  for (const [i, angle] of [0.1, 0.2, 0.9].entries()) await whole.add('f1', sighting(i, angle), frame);

  const restored = new FaceAlbum();
  const part = (from: number, to: number, embedding: Float32Array) => ({
    ...{
      kind: 'face' as const,
      trackId: 'f1',
      startMs: from,
      endMs: to,
      confidence: 0.9,
      thumbnail: 'f1.webp',
    },
    samples: Array.from({ length: to - from }, (_, i) => sighting(from + i, 0)),
    embedding: Buffer.from(Float32Array.from(embedding).buffer).toString('base64'),
    embeddingSpace: 'test',
  });
  restored.restore(part(0, 1, sighting(0, 0.1).embedding));
  restored.restore(part(1, 2, sighting(0, 0.15).embedding));
  await restored.add('f1', sighting(2, 0.9), frame);

  const [before, after] = [whole, restored].map((album) => album.entries.get('f1')!);
  const [a, b] = [meanEmbedding(before!), meanEmbedding(after!)];
  expect(a[0]! * b[0]! + a[1]! * b[1]!).toBeGreaterThan(0.9999);
  expect([...after!.seenAtMs]).toEqual([0, 1, 2]);
  // The picture kept is as good as this one: it is not replaced.
  expect(after).toMatchObject({ thumbnail: 'f1.webp', picture: null });
});

test('a vector of zeros has no direction and stays what it is', () => {
  expect(normalised(new Float32Array(3))).toEqual(new Float32Array(3));
});

describe('the gate, where the face detector is sure and wrong or right', () => {
  const face = { confidence: 0.99, box: { x: 0.4, y: 0.4, w: 0.2, h: 0.2 } };
  const around = { x: 0.3, y: 0.3, w: 0.5, h: 0.6 };
  const person = { classId: 0, confidence: 0.4, box: around };
  const dog = { classId: 16, confidence: 0.3, box: around };
  const elsewhere = { x: 0, y: 0, w: 0.2, h: 0.2 };

  test.each([
    ['a dog', 0.118, [dog], false],
    ['a dog with landmarks that are rather steady', 0.04, [dog], false],
    ['what is so steady that objects are not asked', 0.03, [dog], true],
    ['a dog beside a person', 0.1, [dog, { ...person, box: elsewhere }], false],
    ['a dog in front of a person', 0.1, [dog, person], false],
    ['a face behind a dog', 0.04, [dog, person], true],
    ['a face cut by the edge', 0.158, [person], true],
    ['a face on a poster', 0.04, [], true],
    ['a pattern', 0.1, [], false],
  ])('%s', (_name, spread, objects, expected) => {
    expect(isFace(face, spread, objects)).toBe(expected);
  });
});
