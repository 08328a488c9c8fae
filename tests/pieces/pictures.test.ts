/** What is seen on both sides of a cut between two pieces. */
import { expect, it } from 'vitest';
import { encodeEmbedding } from '../../functions/core/results/embeddings.ts';
import { joinPictures } from '../../functions/core/results/join.ts';
import { mergeRows } from '../../functions/core/results/merge/merge.ts';
import type { PictureRow } from '../../functions/core/results/rows.ts';
import { sketchOf } from '../../functions/core/results/sketch.ts';

const [room, street, sea] = ['ff00ff00ff00ff00', '00ff12ff00ff34ff', '0f0f0f0f12345678'] as const;
const vectors = new Map([
  [room, Float32Array.of(1, 0, 0)],
  [street, Float32Array.of(0, 1, 0)],
  [sea, Float32Array.of(0, 0, 1)],
]);

/** A stretch, as a piece saves it in parts that end at `endsMs`. */
function picture(
  pictureId: string,
  startMs: number,
  endsMs: number[],
  hash: typeof room | typeof street | typeof sea,
) {
  const vector = vectors.get(hash)!;
  return endsMs.map((endMs, index): PictureRow => {
    const isFirst = index === 0;
    return {
      ...{ kind: 'picture', pictureId, startMs: isFirst ? startMs : endsMs[index - 1]!, endMs },
      ...{ keyframeMs: startMs, perceptualHash: hash },
      embedding: isFirst ? encodeEmbedding(vector) : null,
      embeddingSpace: isFirst ? 'test' : null,
      sketch: isFirst ? sketchOf(vector) : null,
      thumbnail: `pictures/${pictureId}.webp`,
    };
  });
}

/** Two pieces with a cut at 20 s, each of which has seen 10 s more. */
function merged(before: PictureRow[], after: PictureRow[]): PictureRow[] {
  const rows = mergeRows([
    { piece: 1, fromMs: 0, toMs: 20_000, overlapMs: 10_000, rows: before },
    { piece: 2, fromMs: 20_000, toMs: Infinity, overlapMs: 10_000, rows: after },
  ]);
  return rows.flat().filter((row): row is PictureRow => row.kind === 'picture');
}

it('is one picture where it looks the same', () => {
  const rows = merged(
    picture('p1', 0, [10_000, 30_000], room),
    picture('p1', 10_000, [18_000, 28_000, 40_000], room),
  );
  expect(joinPictures(rows)).toMatchObject([
    { pictureId: '1-p1', startMs: 0, endMs: 40_000, keyframeMs: 0, thumbnail: '1/pictures/p1.webp' },
  ]);
  expect(rows.filter((row) => row.embedding !== null)).toHaveLength(1);
});

it('is two where it does not, and the second is described where it begins', () => {
  const rows = merged(picture('p1', 0, [30_000], room), picture('p1', 10_000, [18_000, 40_000], street));
  expect(joinPictures(rows)).toMatchObject([
    { pictureId: '1-p1', startMs: 0, endMs: 20_000 },
    {
      pictureId: '2-p1',
      startMs: 20_000,
      endMs: 40_000,
      keyframeMs: 20_000,
      thumbnail: '2/pictures/p1.webp',
    },
  ]);
  const described = rows.filter((row) => row.embedding !== null);
  expect(described.map(({ pictureId, startMs }) => [pictureId, startMs])).toEqual([
    ['1-p1', 0],
    ['2-p1', 20_000],
  ]);
  expect(described.every(({ startMs, keyframeMs }) => startMs === keyframeMs)).toBe(true);
});

it('leaves out what only the overlap has', () => {
  const rows = merged(
    [
      ...picture('p1', 0, [19_000], room),
      ...picture('p2', 19_000, [25_000], street),
      ...picture('p3', 25_000, [30_000], sea),
    ],
    [
      ...picture('p1', 10_000, [19_000], room),
      ...picture('p2', 19_000, [25_000], street),
      ...picture('p3', 25_000, [40_000], sea),
    ],
  );
  expect(joinPictures(rows).map(({ pictureId, startMs, endMs }) => [pictureId, startMs, endMs])).toEqual([
    ['1-p1', 0, 19_000],
    ['1-p2', 19_000, 25_000],
    ['2-p3', 25_000, 40_000],
  ]);
});
