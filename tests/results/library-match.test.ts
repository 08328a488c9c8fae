import { describe, expect, it } from 'vitest';
import { mediumPersons } from '../../functions/core/people/faces.ts';
import { match, samePersonInLibrary } from '../../functions/core/people/match.ts';
import { encodeEmbedding } from '../../functions/core/results/embeddings.ts';
import type { ResultRow } from '../../functions/core/results/rows.ts';

/** Of length 1, with this cosine to (1, 0). */
const at = (cosine: number) => Float32Array.of(cosine, Math.sqrt(1 - cosine ** 2));
const person = (personId: string, cosine: number, embeddingSpace = 'a') => ({
  ...{ personId, embedding: at(cosine), embeddingSpace, thumbnail: null, quality: 1 },
});
const known = (libraryPersonId: string, cosines: number[], embeddingSpace = 'a') => ({
  ...{ libraryPersonId, embeddings: cosines.map(at), embeddingSpace },
});

describe('a person of a medium', () => {
  it('is the one of the library that looks alike enough, by the mean of all that is known', () => {
    const sure = person('p1', samePersonInLibrary + 0.01);
    const unsure = person('p1', samePersonInLibrary - 0.01);
    expect(match([sure], [known('x', [1])]).get('p1')).toBe('x');
    expect(match([unsure], [known('x', [1])]).get('p1')).toBeNull();
    expect(match([unsure], [known('x', [1, 0.5])]).get('p1')).toBe('x');
    expect(match([sure], [known('x', [0.75]), known('y', [1])]).get('p1')).toBe('x');
  });

  it('is never compared over models, and two of one medium are never joined', () => {
    expect(match([person('p1', 1)], [known('x', [1], 'b')]).get('p1')).toBeNull();
    const two = match([person('p1', 0.9), person('p2', 1)], [known('x', [1])]);
    expect([...two]).toEqual([
      ['p1', null],
      ['p2', 'x'],
    ]);
  });
});

describe('persons of a medium', () => {
  const face = (trackId: string, vector: number[], quality: number): ResultRow => ({
    ...{ kind: 'face', trackId, startMs: 0, endMs: 10, confidence: 1 },
    samples: [{ tMs: 0, box: { x: 0, y: 0, w: 1, h: 1 }, landmarks: [], quality }],
    embedding: encodeEmbedding(Float32Array.from(vector)),
    ...{ embeddingSpace: 'a', thumbnail: `faces/${trackId}.webp` },
  });
  const row = (personId: string, trackIds: string[]): ResultRow => ({
    ...{ kind: 'person', personId, startMs: 0, endMs: 10, cohesion: null, trackIds },
  });

  it('have the mean of their tracks and the best of their pictures', () => {
    const [one] = mediumPersons([face('f1', [1, 0], 0.4), face('f2', [0, 1], 0.9), row('p1', ['f1', 'f2'])]);
    expect(one).toMatchObject({ personId: 'p1', thumbnail: 'faces/f2.webp' });
    expect(one!.quality).toBeCloseTo(0.9);
    expect([...one!.embedding].map((value) => value.toFixed(3))).toEqual(['0.707', '0.707']);
  });

  it('whose vectors are of no use are left out', () => {
    for (const vector of [[], [0, 0], [Number.NaN, 1], [Number.POSITIVE_INFINITY, 0]])
      expect(mediumPersons([face('f1', vector, 1), row('p1', ['f1'])])).toEqual([]);
  });
});
