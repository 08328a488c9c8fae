import { describe, expect, it } from 'vitest';
import {
  joinFaces,
  joinObjects,
  joinPeople,
  joinScenes,
  joinTexts,
  segmentsOf,
} from '../../functions/core/results/join.ts';
import type { FaceRow, ObjectRow, PersonRow, SceneRow, TextRow } from '../../functions/core/results/rows.ts';
import { segment } from '../jobs/rows.ts';

const quad: TextRow['quad'] = [
  [0, 0],
  [1, 0],
  [1, 1],
  [0, 1],
];
const box = { x: 0, y: 0, w: 1, h: 1 };

const text = (startMs: number, endMs: number, more: Partial<TextRow> = {}): TextRow => ({
  kind: 'text',
  textId: 't1',
  startMs,
  endMs,
  text: 'EXIT',
  confidence: 0.5,
  quad,
  ...more,
});
const scene = (startMs: number, endMs: number, more: Partial<SceneRow> = {}): SceneRow => ({
  kind: 'scene',
  sceneId: 's1',
  startMs,
  endMs,
  score: 0.5,
  keyframeMs: startMs,
  thumbnail: null,
  ...more,
});
const object = (startMs: number, endMs: number, more: Partial<ObjectRow> = {}): ObjectRow => ({
  kind: 'object',
  trackId: 'o1',
  label: 'dog',
  classId: 16,
  startMs,
  endMs,
  confidence: 0.5,
  samples: [{ tMs: startMs, box, confidence: 0.5 }],
  ...more,
});
const face = (startMs: number, endMs: number, more: Partial<FaceRow> = {}): FaceRow => ({
  kind: 'face',
  trackId: 'f1',
  startMs,
  endMs,
  confidence: 0.5,
  samples: [{ tMs: startMs, box, landmarks: [], quality: 1 }],
  embedding: 'AAAA',
  embeddingSpace: 'test',
  thumbnail: null,
  ...more,
});
const person = (personId: string, trackIds: string[], startMs = 0): PersonRow => ({
  kind: 'person',
  personId,
  startMs,
  endMs: 100,
  cohesion: 0.9,
  trackIds,
});

describe('joining the parts of a result', () => {
  it('puts utterances in order of time', () => {
    const rows = [segment('b', 2000), segment('a', 0)];
    expect(segmentsOf(rows).map((row) => row.text)).toEqual(['a', 'b']);
  });

  it('makes one text of its rows, and one showing of those that touch', () => {
    const rows = [text(1000, 2000, { confidence: 0.9, text: 'EXIT!' }), text(0, 1000), text(5000, 6000)];
    expect(joinTexts(rows)).toEqual([
      {
        textId: 't1',
        text: 'EXIT!',
        confidence: 0.9,
        instances: [
          { startMs: 0, endMs: 2000, quad },
          { startMs: 5000, endMs: 6000, quad },
        ],
      },
    ]);
  });

  it('keeps the end of a showing that lasts longer than the next', () => {
    expect(joinTexts([text(0, 5000), text(1000, 2000)])[0]!.instances).toEqual([
      { startMs: 0, endMs: 5000, quad },
    ]);
  });

  it('makes one scene of its rows, with its picture wherever that was saved', () => {
    const rows = [
      scene(0, 1000),
      scene(1000, 3000, { score: 0.1, thumbnail: 'scenes/s1.webp' }),
      scene(3000, 4000, { sceneId: 's2' }),
    ];
    expect(joinScenes(rows)).toEqual([
      { sceneId: 's1', startMs: 0, endMs: 3000, score: 0.5, keyframeMs: 0, thumbnail: 'scenes/s1.webp' },
      { sceneId: 's2', startMs: 3000, endMs: 4000, score: 0.5, keyframeMs: 3000, thumbnail: null },
    ]);
  });

  it('makes one track of the rows of an object, named by its surest part', () => {
    const rows = [
      object(1000, 2000, { label: 'wolf', confidence: 0.9 }),
      object(0, 1000),
      object(0, 9, { trackId: 'o2', confidence: null }),
    ];
    const [dog, other] = joinObjects(rows);
    expect(dog).toMatchObject({ trackId: 'o1', label: 'wolf', startMs: 0, endMs: 2000, confidence: 0.9 });
    expect(dog!.samples.map((sample) => sample.tMs)).toEqual([0, 1000]);
    expect(other).toMatchObject({ trackId: 'o2', confidence: null });
  });

  it('gives faces to persons and shows no embeddings', () => {
    const rows = [
      face(0, 10),
      face(10, 20, { thumbnail: 'faces/f1.webp' }),
      face(5, 9, { trackId: 'f2' }),
      person('p1', ['f1']),
    ];
    const faces = joinFaces(rows);
    expect(faces).toMatchObject([
      { trackId: 'f1', personId: 'p1', startMs: 0, endMs: 20, thumbnail: 'faces/f1.webp' },
      { trackId: 'f2', personId: null },
    ]);
    expect(JSON.stringify(faces)).not.toMatch(/embedding/i);
  });

  it('believes the last grouping: who lost all tracks to others is no person any more', () => {
    const rows = [person('p1', ['f1']), person('p2', ['f2', 'f3']), person('p1', ['f1', 'f2', 'f3'])];
    expect(joinPeople(rows).map(({ personId, trackIds }) => [personId, trackIds])).toEqual([
      ['p1', ['f1', 'f2', 'f3']],
    ]);
    const moved = [person('p1', ['f1', 'f2']), person('p2', ['f3']), person('p2', ['f2', 'f3'])];
    expect(joinPeople(moved).map(({ personId, trackIds }) => [personId, trackIds])).toEqual([
      ['p1', ['f1']],
      ['p2', ['f2', 'f3']],
    ]);
    expect(joinFaces([...moved, face(0, 1, { trackId: 'f2' })])[0]!.personId).toBe('p2');
  });

  it('of nothing is nothing', () => {
    expect([joinTexts([]), joinScenes([]), joinObjects([]), joinFaces([]), joinPeople([])]).toEqual([
      [],
      [],
      [],
      [],
      [],
    ]);
  });
});
