import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeEmbedding, dot } from '../../functions/core/results/embeddings.ts';
import { joinPictures } from '../../functions/core/results/join.ts';
import { featurelessHash, hashDistance, isCopy } from '../../functions/core/results/pictures-alike.ts';
import type { PictureRow } from '../../functions/core/results/rows.ts';
import { sketchOf } from '../../functions/core/results/sketch.ts';
import { similarity } from '../../gpu-worker/analyzers/similarity.ts';
import { leastMeans, type Means } from '../../gpu-worker/models/means.ts';
import { hasPip } from '../../gpu-worker/models/pip.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { type Analysis, analyzeFilm, analyzePicture } from './picture-analysis.ts';

const withPip = { ...leastMeans, hasPip: true };
const canHavePip = await hasPip();

let media: TestMedia;
beforeAll(async () => {
  media = await testMedia();
}, 300_000);

const pictureRows = ({ rows }: Analysis) => rows.filter((row): row is PictureRow => row.kind === 'picture');

async function pictureOf(path: string | Buffer, means = leastMeans): Promise<PictureRow> {
  const [row, ...others] = pictureRows(await analyzePicture(similarity, path, means));
  expect(others).toEqual([]);
  return row!;
}

const changed = async (path: string, change: (picture: Sharp, width: number, height: number) => Sharp) => {
  const { width, height } = await sharp(path).metadata();
  return change(sharp(path), width, height).toBuffer();
};

/** What happens to a picture that goes from hand to hand. */
const copies: [string, (picture: Sharp, width: number, height: number) => Sharp][] = [
  ['half the size', (picture, width) => picture.resize({ width: width >> 1 }).png()],
  ['poor quality', (picture) => picture.jpeg({ quality: 10 })],
  ['brighter', (picture) => picture.modulate({ brightness: 1.3 }).png()],
  ['darker', (picture) => picture.modulate({ brightness: 0.6 }).png()],
  ['without colours', (picture) => picture.greyscale().png()],
  [
    'without its edges',
    (picture, width, height) =>
      picture
        .extract({
          left: Math.round(width * 0.025),
          top: Math.round(height * 0.025),
          width: Math.round(width * 0.95),
          height: Math.round(height * 0.95),
        })
        .png(),
  ],
];

describe('a picture', () => {
  test.each(copies)('and its copy are known as such: %s', async (_, change) => {
    const original = await pictureOf(media.groupJpeg);
    const copy = await pictureOf(await changed(media.groupJpeg, change));
    expect(isCopy(original.perceptualHash, copy.perceptualHash)).toBe(true);
  });

  test('and another are no copies', async () => {
    const paths = [media.groupJpeg, media.jpeg, media.png];
    const hashes = await Promise.all(paths.map(async (path) => (await pictureOf(path)).perceptualHash));
    expect(hashDistance(hashes[0]!, hashes[1]!)).toBeGreaterThan(15);
    expect(hashDistance(hashes[0]!, hashes[2]!)).toBeGreaterThan(15);
    expect(hashDistance(hashes[1]!, hashes[2]!)).toBeGreaterThan(15);
  });

  test('is one row of no duration, with a thumbnail', async () => {
    const analysis = await analyzePicture(similarity, media.groupJpeg);
    expect(analysis.outcome).toEqual({ status: 'ok', reason: null });
    expect(pictureRows(analysis)).toMatchObject([
      { pictureId: 'p1', startMs: 0, endMs: 0, keyframeMs: 0, thumbnail: 'pictures/p1.webp' },
    ]);
    const thumbnail = await sharp(analysis.pictures.get('pictures/p1.webp')).metadata();
    expect(thumbnail).toMatchObject({ format: 'webp', width: 320 });
    expect(thumbnail.height).toBeCloseTo((320 * 1280) / 1920, -1);
  });

  test.each(['#000000', '#ffffff', '#7f7f7f'])(
    'with nothing in it has no features: %s',
    async (background) => {
      const plain = sharp({ create: { width: 640, height: 360, channels: 3, background } });
      const noisy = sharp(await plain.png().toBuffer()).jpeg({ quality: 20 });
      expect(await pictureOf(await noisy.toBuffer())).toMatchObject({
        ...{ perceptualHash: featurelessHash, embedding: null, embeddingSpace: null, sketch: null },
      });
    },
  );
});

describe('vectors', () => {
  test('tell pictures of people from each other, and a slide from both', async ({ skip }) => {
    if (!canHavePip) skip('needs python3 with pip');
    const vectorOf = async (path: string | Buffer) => {
      const row = await pictureOf(path, withPip);
      expect(row.embeddingSpace).toBe('efficientnet-lite0-1280');
      const vector = decodeEmbedding(row.embedding!);
      expect(dot(vector, vector)).toBeCloseTo(1, 5);
      expect(row.sketch).toBe(sketchOf(vector));
      return vector;
    };
    const smaller = await changed(media.groupJpeg, (picture, width, height) =>
      picture
        .extract({
          ...{ left: Math.round(width * 0.1), top: Math.round(height * 0.1) },
          ...{ width: Math.round(width * 0.8), height: Math.round(height * 0.8) },
        })
        .png(),
    );
    const [group, part, person, slide] = [
      await vectorOf(media.groupJpeg),
      await vectorOf(smaller),
      await vectorOf(media.jpeg),
      await vectorOf(media.png),
    ];
    expect(dot(group, part)).toBeGreaterThan(0.8);
    expect(dot(group, person)).toBeLessThan(dot(group, part));
    expect(dot(group, slide)).toBeLessThan(dot(group, person));
  }, 120_000);
});

const ways: [string, Means][] = [
  ['by hashes', leastMeans],
  ['by vectors too', withPip],
];

describe('a film', () => {
  test.for(ways)(
    'is one picture as long as it looks the same: %s',
    { timeout: 300_000 },
    async ([, means], { skip }) => {
      if (means.hasPip && !canHavePip) skip('needs python3 with pip');
      const analysis = await analyzeFilm(similarity, media.talk, { means });
      const pictures = joinPictures(analysis.rows);
      expect(pictures[0]!.startMs).toBe(0);
      expect(pictures.at(-1)!.endMs).toBe(media.talkTruth.durationMs);
      pictures.slice(1).forEach((picture, i) => void expect(picture.startMs).toBe(pictures[i]!.endMs));
      // A frame a second: a cut is seen within a second after it.
      const starts = pictures.map((picture) => picture.startMs);
      for (const cutMs of media.talkTruth.cutsMs) {
        expect(starts.filter((ms) => ms >= cutMs && ms < cutMs + 1000)).toHaveLength(1);
      }
      if (means.hasPip) expect(pictures).toHaveLength(media.talkTruth.cutsMs.length + 1);
      const vectors = pictureRows(analysis).filter((row) => row.embedding !== null);
      expect(vectors.map((row) => row.pictureId)).toEqual(
        means.hasPip ? pictures.map((picture) => picture.pictureId) : [],
      );
    },
  );

  test.for(ways)(
    'goes on after a lost worker as if there had been none: %s',
    { timeout: 300_000 },
    async ([, means], { skip }) => {
      if (means.hasPip && !canHavePip) skip('needs python3 with pip');
      const whole = await analyzeFilm(similarity, media.clip, { means });
      for (const stopAtMs of [3_500, 8_000, 11_500]) {
        const lost = await analyzeFilm(similarity, media.clip, { partMs: 2_000, stopAtMs, means });
        expect(lost.toMs).toBeGreaterThan(0);
        const resumed = await analyzeFilm(similarity, media.clip, { after: lost, means });
        expect(joinPictures([...lost.rows, ...resumed.rows])).toEqual(joinPictures(whole.rows));
        const vectorsOf = (...analyses: Analysis[]) =>
          analyses.flatMap(pictureRows).flatMap(({ embedding }) => embedding ?? []);
        expect(vectorsOf(lost, resumed)).toEqual(vectorsOf(whole));
      }
    },
  );
});
