import { describe, expect, it } from 'vitest';
import { encodeEmbedding } from '../../functions/core/results/embeddings.ts';
import {
  joinFaces,
  joinModeration,
  joinObjects,
  joinPeople,
  joinPictures,
  joinScenes,
  joinSignals,
  joinTexts,
  loudnessOf,
} from '../../functions/core/results/join.ts';
import { joinLoudness } from '../../functions/core/results/loudness.ts';
import { mergeRows } from '../../functions/core/results/merge/merge.ts';
import type { Piece } from '../../functions/core/results/merge/piece.ts';
import { mergeRuns } from '../../functions/core/results/merge/runs.ts';
import type {
  Box,
  FaceRow,
  LoudnessRow,
  ModerationRow,
  ObjectRow,
  PictureRow,
  ResultRow,
  SceneRow,
  SignalRow,
  TextRow,
} from '../../functions/core/results/rows.ts';
import { runReport } from '../jobs/rows.ts';

/** Pieces of 20 s each, with these rows. */
function pieces(...rows: ResultRow[][]): Piece[] {
  return rows.map((own, index) => ({
    ...{ piece: index + 1, fromMs: index * 20_000, overlapMs: 10_000, rows: own },
    toMs: index === rows.length - 1 ? Infinity : (index + 1) * 20_000,
  }));
}

const merged = (...rows: ResultRow[][]) => mergeRows(pieces(...rows)).flat();

const box: Box = { x: 0.1, y: 0.1, w: 0.2, h: 0.4 };
const elsewhere: Box = { x: 0.6, y: 0.1, w: 0.2, h: 0.4 };

/** Seen twice a second in [startMs, endMs). */
function every(startMs: number, endMs: number): number[] {
  return Array.from({ length: Math.ceil((endMs - startMs) / 500) }, (_, i) => startMs + 500 * i);
}

function object(trackId: string, startMs: number, endMs: number, place = box, label = 'person'): ObjectRow {
  const samples = every(startMs, endMs).map((tMs) => ({ tMs, box: place, confidence: 0.9 }));
  const classId = label === 'person' ? 0 : 1;
  return { kind: 'object', trackId, label, classId, startMs, endMs, confidence: 0.9, samples };
}

function text(
  textId: string,
  startMs: number,
  endMs: number,
  said = 'Rent it, use it, end it',
  x = 0.1,
): TextRow {
  const quad: TextRow['quad'] = [
    [x, 0.1],
    [x + 0.3, 0.1],
    [x + 0.3, 0.2],
    [x, 0.2],
  ];
  return { kind: 'text', textId, startMs, endMs, text: said, confidence: 0.9, quad };
}

/** Somebody whose vector points this way. */
function face(trackId: string, startMs: number, endMs: number, who: number[], place = box): FaceRow {
  const samples = every(startMs, endMs).map((tMs) => ({ tMs, box: place, landmarks: [], quality: 0.8 }));
  const embedding = encodeEmbedding(Float32Array.from(who));
  const thumbnail = `faces/${trackId}.webp`;
  const space = { embedding, embeddingSpace: 'test', thumbnail };
  return { kind: 'face', trackId, startMs, endMs, confidence: 0.9, samples, ...space };
}

function scene(
  sceneId: string,
  startMs: number,
  endMs: number,
  score: number | null,
  keyframeMs = startMs + 100,
): SceneRow {
  return { kind: 'scene', sceneId, startMs, endMs, score, keyframeMs, thumbnail: `scenes/${sceneId}.webp` };
}

describe('things', () => {
  it('that last over a cut are one, seen once in each frame', () => {
    const rows = merged(
      [object('t1', 15_000, 20_000), object('t1', 20_000, 30_000)],
      [object('t4', 10_000, 20_500), object('t4', 20_500, 28_000)],
    );
    const [one, ...others] = joinObjects(rows);
    expect(others).toEqual([]);
    expect(one).toMatchObject({ trackId: '1-t1', startMs: 15_000, endMs: 28_000 });
    expect(one!.samples.map(({ tMs }) => tMs)).toEqual(every(15_000, 28_000));
  });

  it('go on over several cuts under the first name', () => {
    const rows = merged(
      [object('t1', 5000, 30_000)],
      [object('t1', 10_000, 50_000)],
      [object('t9', 30_000, 55_000)],
    );
    expect(joinObjects(rows)).toMatchObject([{ trackId: '1-t1', startMs: 5000, endMs: 55_000 }]);
  });

  it('at another place or of another kind are others', () => {
    const rows = merged(
      [object('t1', 15_000, 30_000)],
      [object('t1', 10_000, 28_000, elsewhere), object('t2', 10_000, 28_000, box, 'bicycle')],
    );
    expect(joinObjects(rows).map((one) => one.trackId)).toEqual(['1-t1', '2-t1', '2-t2']);
  });

  it('of which two would fit are told apart one to one', () => {
    const near: Box = { ...box, x: 0.12 };
    const left = [object('t1', 15_000, 30_000, box), object('t2', 15_000, 30_000, near)];
    const rows = merged(left, [object('t1', 10_000, 28_000, near), object('t2', 10_000, 28_000, box)]);
    const ends = joinObjects(rows).map(({ trackId, samples }) => [trackId, samples.at(-1)!.box.x]);
    expect(ends).toEqual([
      ['1-t1', 0.1],
      ['1-t2', 0.12],
    ]);
  });

  it('seen in the overlap only are the neighbour’s alone', () => {
    const rows = merged(
      [object('t1', 21_000, 30_000)],
      [object('t1', 10_000, 18_000), object('t2', 21_000, 32_000)],
    );
    expect(joinObjects(rows)).toMatchObject([{ trackId: '2-t2', startMs: 21_000, endMs: 32_000 }]);
  });
});

describe('texts', () => {
  it('that stand over a cut are one, although read a little otherwise', () => {
    const rows = merged(
      [text('o1', 12_000, 30_000)],
      [text('o1', 10_000, 25_000, 'Rent it, use it, end lt')],
    );
    const [one, ...others] = joinTexts(rows);
    expect(others).toEqual([]);
    expect(one).toMatchObject({ textId: '1-o1', instances: [{ startMs: 12_000, endMs: 25_000 }] });
  });

  it('of other words or at another place are others', () => {
    const rows = merged(
      [text('o1', 12_000, 30_000)],
      [text('o1', 10_000, 25_000, 'Thank you'), text('o2', 10_000, 25_000, undefined, 0.6)],
    );
    expect(joinTexts(rows).map((one) => one.textId)).toEqual(['1-o1', '2-o1', '2-o2']);
  });
});

describe('scenes', () => {
  it('are cut where the film is, not where the work was', () => {
    const rows = merged(
      [scene('s1', 0, 7000, null), scene('s2', 7000, 25_000, 0.8), scene('s3', 25_000, 30_000, 0.7)],
      [scene('s1', 10_000, 25_000, null), scene('s2', 25_000, 36_000, 0.7), scene('s3', 36_000, 38_000, 0.6)],
    );
    expect(joinScenes(rows)).toEqual([
      {
        ...{ sceneId: 's1', startMs: 0, endMs: 7000, score: null },
        keyframeMs: 100,
        thumbnail: '1/scenes/s1.webp',
      },
      {
        ...{ sceneId: 's2', startMs: 7000, endMs: 25_000, score: 0.8 },
        keyframeMs: 7100,
        thumbnail: '1/scenes/s2.webp',
      },
      {
        ...{ sceneId: 's3', startMs: 25_000, endMs: 36_000, score: 0.7 },
        keyframeMs: 25_100,
        thumbnail: '2/scenes/s2.webp',
      },
      {
        ...{ sceneId: 's4', startMs: 36_000, endMs: 38_000, score: 0.6 },
        keyframeMs: 36_100,
        thumbnail: '2/scenes/s3.webp',
      },
    ]);
  });

  it('a boundary on the cut counts once', () => {
    const rows = merged(
      [scene('s1', 0, 20_000, null), scene('s2', 20_000, 30_000, 0.9)],
      [scene('s1', 10_000, 20_000, null), scene('s2', 20_000, 40_000, 0.9)],
    );
    expect(joinScenes(rows).map((one) => [one.startMs, one.endMs])).toEqual([
      [0, 20_000],
      [20_000, 40_000],
    ]);
  });

  it('a scene whose picture the neighbour’s cut has taken shows the neighbour’s', () => {
    const rows = merged(
      [scene('s1', 0, 30_000, null, 28_000)],
      [scene('s1', 10_000, 22_000, null), scene('s2', 22_000, 40_000, 0.5)],
    );
    expect(joinScenes(rows)[0]).toMatchObject({
      endMs: 22_000,
      keyframeMs: 10_100,
      thumbnail: '2/scenes/s1.webp',
    });
  });

  it('where a piece failed there is a gap', () => {
    const rows = merged([scene('s1', 0, 30_000, null)], [], [scene('s1', 30_000, 60_000, null)]);
    expect(joinScenes(rows).map((one) => [one.startMs, one.endMs])).toEqual([
      [0, 20_000],
      [40_000, 60_000],
    ]);
  });
});

describe('faces and people', () => {
  const [anna, bert] = [
    [1, 0, 0],
    [0, 1, 0],
  ];

  it('one face over the cut is one track, and people are grouped over all pieces', () => {
    const rows = merged(
      [face('f1', 2000, 6000, anna!), face('f2', 15_000, 30_000, bert!)],
      [face('f1', 10_000, 26_000, bert!), face('f2', 30_000, 34_000, anna!)],
    );
    expect(
      joinFaces(rows).map(({ trackId, startMs, endMs, personId }) => [trackId, startMs, endMs, personId]),
    ).toEqual([
      ['1-f1', 2000, 6000, 'p1'],
      ['1-f2', 15_000, 26_000, 'p2'],
      ['2-f2', 30_000, 34_000, 'p1'],
    ]);
    expect(joinPeople(rows)).toMatchObject([
      { personId: 'p1', startMs: 2000, endMs: 34_000, trackIds: ['1-f1', '2-f2'] },
      { personId: 'p2', startMs: 15_000, endMs: 26_000, trackIds: ['1-f2'] },
    ]);
    expect(joinFaces(rows).map((one) => one.thumbnail)).toEqual([
      '1/faces/f1.webp',
      '1/faces/f2.webp',
      '2/faces/f2.webp',
    ]);
  });

  it('somebody else at the same place is another', () => {
    const rows = merged([face('f1', 15_000, 30_000, anna!)], [face('f1', 10_000, 26_000, bert!)]);
    expect(joinFaces(rows).map((one) => one.trackId)).toEqual(['1-f1', '2-f1']);
  });

  it('vectors of two models are never compared', () => {
    const other = { ...face('f1', 30_000, 34_000, anna!), embeddingSpace: 'another' };
    expect(joinPeople(merged([face('f1', 2000, 6000, anna!)], [other]))).toHaveLength(2);
  });
});

function finding(startMs: number, endMs: number, confidence = 0.8, category = 'nudity'): ModerationRow {
  return { kind: 'moderation', category, startMs, endMs, confidence };
}

describe('moderation', () => {
  const found = (...rows: ResultRow[][]) =>
    joinModeration(merged(...rows)).findings.map(({ category, startMs, endMs }) => [
      category,
      startMs,
      endMs,
    ]);

  it('what both have seen over the cut is one finding, with the surer of both', () => {
    const rows = [[finding(15_000, 24_000, 0.7)], [finding(16_000, 24_000, 0.9)]];
    expect(found(...rows)).toEqual([['nudity', 15_000, 24_000]]);
    expect(joinModeration(merged(...rows)).findings[0]!.confidence).toBe(0.9);
  });

  it('what lies in the overlap alone counts once, where it is owned', () => {
    expect(found([finding(12_000, 14_000)], [finding(12_000, 14_000)])).toEqual([['nudity', 12_000, 14_000]]);
    expect(found([finding(22_000, 26_000)], [finding(22_000, 26_000)])).toEqual([['nudity', 22_000, 26_000]]);
    expect(found([], [finding(12_000, 14_000)])).toEqual([]);
  });

  it('a moment belongs to one piece', () => {
    expect(found([finding(15_000, 15_000)], [finding(15_000, 15_000), finding(20_000, 20_000)])).toEqual([
      ['nudity', 15_000, 15_000],
      ['nudity', 20_000, 20_000],
    ]);
  });

  it('of two categories stays two', () => {
    const rows = [[finding(15_000, 30_000)], [finding(10_000, 25_000, 0.8, 'violence')]];
    expect(found(...rows)).toEqual([
      ['nudity', 15_000, 20_000],
      ['violence', 20_000, 25_000],
    ]);
  });
});

function shot(
  pictureId: string,
  startMs: number,
  endMs: number,
  perceptualHash = 'f0f0f0f0f0f0f0f0',
  keyframeMs = startMs,
): PictureRow {
  const thumbnail = `pictures/${pictureId}.webp`;
  const noVector = { embedding: null, embeddingSpace: null, sketch: null };
  return { kind: 'picture', pictureId, startMs, endMs, keyframeMs, perceptualHash, ...noVector, thumbnail };
}

describe('pictures', () => {
  const other = '0f0f0f0f0f0f0f0f';
  const found = (...rows: ResultRow[][]) =>
    joinPictures(merged(...rows)).map(({ pictureId, startMs, endMs }) => [pictureId, startMs, endMs]);

  it('of all the time are there, each time once', () => {
    const rows = [
      [shot('p1', 0, 8000), shot('p2', 8000, 25_000, other), shot('p3', 25_000, 30_000)],
      [shot('p1', 10_000, 25_000, other), shot('p2', 25_000, 50_000)],
      [shot('p1', 30_000, 55_000), shot('p2', 55_000, 60_000, other)],
    ];
    expect(found(...rows)).toEqual([
      ['1-p1', 0, 8000],
      ['1-p2', 8000, 25_000],
      ['2-p2', 25_000, 55_000],
      ['3-p2', 55_000, 60_000],
    ]);
  });

  it('that differ on both sides of the cut are two, each with its own thumbnail', () => {
    const rows = merged([shot('p1', 0, 30_000)], [shot('p1', 10_000, 40_000, other)]);
    expect(joinPictures(rows).map(({ endMs, thumbnail }) => [endMs, thumbnail])).toEqual([
      [20_000, '1/pictures/p1.webp'],
      [40_000, '2/pictures/p1.webp'],
    ]);
  });

  it('chosen where the neighbour owns the time are not lost', () => {
    const rows = [
      [shot('p1', 18_000, 30_000, undefined, 24_000)],
      [shot('p1', 10_000, 40_000, other, 12_000)],
    ];
    expect(found(...rows)).toEqual([
      ['1-p1', 18_000, 20_000],
      ['2-p1', 20_000, 40_000],
    ]);
  });
});

function nothing(signal: SignalRow['signal'], startMs: number, endMs: number): SignalRow {
  return { kind: 'signal', signal, startMs, endMs };
}

describe('signals', () => {
  const found = (...rows: ResultRow[][]) =>
    joinSignals(merged(...rows)).map(({ signal, startMs, endMs }) => [signal, startMs, endMs]);

  it('over a cut are one, and a short one is not cut into two that do not count', () => {
    const left = [
      nothing('silence', 2000, 9000),
      nothing('silence', 19_000, 21_500),
      nothing('black', 20_000, 30_000),
    ];
    const right = [nothing('silence', 19_000, 21_500), nothing('black', 18_000, 28_000)];
    expect(found(left, right)).toEqual([
      ['silence', 2000, 9000],
      ['silence', 19_000, 21_500],
      ['black', 20_000, 28_000],
    ]);
  });

  it('frozen pictures that follow each other stay apart, also at the cut', () => {
    const left = [
      nothing('freeze', 12_000, 19_999),
      nothing('freeze', 20_000, 23_999),
      nothing('freeze', 24_000, 29_000),
    ];
    const right = [
      nothing('freeze', 12_000, 19_999),
      nothing('freeze', 20_000, 23_999),
      nothing('freeze', 24_000, 29_000),
    ];
    expect(found(left, right)).toEqual([
      ['freeze', 12_000, 19_999],
      ['freeze', 20_000, 23_999],
      ['freeze', 24_000, 29_000],
    ]);
  });

  it('that last over several pieces are one, but for a piece that failed', () => {
    const still = [nothing('freeze', 0, 100_000)];
    expect(found(still, still, still)).toEqual([['freeze', 0, 100_000]]);
    expect(found(still, [], still)).toEqual([
      ['freeze', 0, 20_000],
      ['freeze', 40_000, 100_000],
    ]);
  });
});

/** Steps of 100 ms, each as loud as a tenth of its time in seconds, below -30. */
function heard(startMs: number, endMs: number, stepMs = 100): LoudnessRow {
  const steps = Array.from({ length: Math.ceil((endMs - startMs) / stepMs) }, (_, i) => startMs + i * stepMs);
  const momentaryLufs = steps.map((ms) => -30 - ms / 10_000);
  return { kind: 'loudness', startMs, endMs, stepMs, momentaryLufs, peaks: steps.map((ms) => ms / 1e6) };
}

describe('loudness', () => {
  it('has each step once, from the piece that owns its beginning', () => {
    const whole = heard(0, 52_340);
    const rows = loudnessOf(
      merged(
        [heard(0, 13_500), heard(13_500, 30_000)],
        [heard(10_000, 17_000), heard(17_000, 50_000)],
        [heard(30_000, 52_340)],
      ),
    );
    expect(rows.flatMap((row) => row.momentaryLufs)).toEqual(whole.momentaryLufs);
    expect(rows.flatMap((row) => row.peaks)).toEqual(whole.peaks);
    expect(rows.map((row) => [row.startMs, row.endMs])).toEqual([
      [0, 13_500],
      [13_500, 20_000],
      [20_000, 40_000],
      [40_000, 52_340],
    ]);
    expect(joinLoudness(rows)).toEqual(joinLoudness([whole]));
  });

  it('of a cut between two steps is not doubled', () => {
    const rows = loudnessOf(
      mergeRows([
        { piece: 1, fromMs: 0, toMs: 20_050, overlapMs: 10_000, rows: [heard(0, 30_000)] },
        { piece: 2, fromMs: 20_050, toMs: Infinity, overlapMs: 10_000, rows: [heard(10_000, 40_000)] },
      ]).flat(),
    );
    expect(rows.map((row) => [row.startMs, row.endMs])).toEqual([
      [0, 20_100],
      [20_100, 40_000],
    ]);
  });
});

it('what begins in a piece is in its part', () => {
  const parts = mergeRows(pieces([object('t1', 5000, 30_000)], [object('t1', 10_000, 30_000)]));
  expect(parts.map((rows) => rows.map((row) => [row.kind, row.startMs]))).toEqual([
    [['object', 5000]],
    [['object', 20_000]],
  ]);
});

it('reports of runs add up, and an analysis is as its pieces were', () => {
  const run = mergeRuns([
    {
      ...runReport([{ status: 'nothing_found', wallMs: 2 }, { name: 'ocr' }]),
      transferMs: 5,
      damages: ['A hole.'],
    },
    {
      ...runReport([
        { status: 'ok', wallMs: 3 },
        { name: 'ocr', status: 'failed', reason: 'No.' },
      ]),
      damages: ['A hole.'],
    },
  ]);
  expect(run).toMatchObject({
    ...{ wallMs: 2, transferMs: 5, device: 'cpu', damages: ['A hole.'] },
    analyzers: [
      { name: 'transcribe', status: 'ok', wallMs: 5 },
      { name: 'ocr', status: 'failed', reason: 'No.' },
    ],
  });
  expect(mergeRuns([])).toBeNull();
});
