import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { type ResultRow, SceneRow } from '../../functions/core/results/rows.ts';
import type { AnalyzerContext, Frame, Part } from '../../gpu-worker/analyzers/analyzer.ts';
import { scenes } from '../../gpu-worker/analyzers/scenes.ts';
import { analyzeMedium } from '../../gpu-worker/pipeline.ts';
import { clip, type TestMedia, testMedia } from '../media/test-media.ts';
import { noModels } from './no-models.ts';

let media: TestMedia;
let portrait: Buffer;
let group: Buffer;
const [width, height] = [320, 180];

beforeAll(async () => {
  media = await testMedia();
  const read = (path: string, w: number) =>
    sharp(path).resize(w, height, { fit: 'cover' }).removeAlpha().raw().toBuffer();
  portrait = await read(media.jpeg, width);
  group = await read(media.groupJpeg, width);
}, 240_000);

/** A film made of numbered frames at 25 a second. */
type Film = { count: number; frame(number: number): Buffer };

const still = (picture: Buffer, count: number): Film => ({ count, frame: () => picture });

/** The same picture, its light changed. */
const lit = (picture: Buffer, gain: number, lift = 0) =>
  Buffer.from(picture.map((value) => Math.max(0, Math.min(255, value * gain + lift))));

function join(...films: Film[]): Film {
  return {
    count: films.reduce((sum, film) => sum + film.count, 0),
    frame(number) {
      let rest = number;
      for (const film of films) {
        if (rest < film.count) return film.frame(rest);
        rest -= film.count;
      }
      throw new Error('beyond the end');
    },
  };
}

/** Noise as cameras make it, the same in every run. */
function noisy({ count, frame }: Film): Film {
  let state = 7;
  return {
    count,
    frame: (number) =>
      Buffer.from(
        frame(number).map((value) => {
          state = (state * 1103515245 + 12345) & 0x7fffffff;
          return Math.max(0, Math.min(255, value + ((state >> 16) % 17) - 8));
        }),
      ),
  };
}

async function analyze(
  film: Film,
  context: Partial<AnalyzerContext> = {},
  drainEvery = Number.POSITIVE_INFINITY,
) {
  const pictures = new Map<string, Uint8Array>();
  const durationMs = film.count * 40;
  const session = await scenes.start({
    ...{ models: noModels, kind: 'video', durationMs, fromMs: 0, saved: [], language: null, threads: 1 },
    signal: new AbortController().signal,
    async savePicture(name, bytes) {
      pictures.set(name, bytes);
      return name;
    },
    ...context,
  });
  const parts: Part[] = [];
  for (let number = (context.fromMs ?? 0) / 40; number < film.count; number++) {
    const frame: Frame = { tMs: number * 40, width, height, data: film.frame(number) };
    await session.onFrame?.(frame);
    if (number % drainEvery === drainEvery - 1) parts.push(await session.drain(frame.tMs));
  }
  const { outcome, ...last } = await session.finish();
  parts.push(last);
  await session.dispose();
  return { parts, pictures, outcome, scenes: joined(parts.flatMap((part) => part.rows)) };
}

/** Rows of one scene out of several parts become one. */
function joined(rows: ResultRow[]): SceneRow[] {
  const byId = Map.groupBy(
    rows.map((row) => SceneRow.parse(row)),
    (row) => row.sceneId,
  );
  return [...byId.values()].map((pieces) => {
    const [first, last] = [pieces[0]!, pieces.at(-1)!];
    for (const [at, piece] of pieces.entries()) {
      expect(piece).toMatchObject({ score: first.score, keyframeMs: first.keyframeMs });
      if (at > 0) expect(piece.startMs).toBe(pieces[at - 1]!.endMs);
    }
    return { ...first, endMs: last.endMs };
  });
}

const cutsMs = (found: SceneRow[]) => found.slice(1).map((scene) => scene.startMs);

describe('cuts', () => {
  test('are found where they are, with scenes that join without gaps', async () => {
    const { scenes: found, outcome } = await analyze(
      noisy(join(still(portrait, 60), still(group, 40), still(lit(portrait, 0.4), 50), still(group, 30))),
    );
    expect(cutsMs(found)).toEqual([2400, 4000, 6000]);
    expect(found.map((scene) => scene.sceneId)).toEqual(['s1', 's2', 's3', 's4']);
    expect(found.map((scene) => scene.endMs)).toEqual([2400, 4000, 6000, 7200]);
    expect(found[0]!.score).toBeNull();
    for (const { score, startMs, endMs, keyframeMs } of found) {
      if (startMs > 0) expect(score).toBeGreaterThan(0.2);
      expect(keyframeMs).toBeGreaterThanOrEqual(startMs);
      expect(keyframeMs).toBeLessThan(endMs);
    }
    expect(outcome).toEqual({ status: 'ok', reason: null });
  });

  test('are not found in a shot that stands still, grain or not', async () => {
    const { scenes: found } = await analyze(noisy(still(group, 150)));
    expect(found.map(({ startMs, endMs }) => [startMs, endMs])).toEqual([[0, 6000]]);
  });

  test.each([
    ['slow', 2],
    ['fast', 24],
  ])('are not found in a %s pan', async (_, step) => {
    const wide = await sharp(media.groupJpeg)
      .resize(width + step * 100, height, { fit: 'fill' })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const camera = async (x: number) =>
      sharp(wide.data, { raw: { width: wide.info.width, height, channels: 3 } })
        .extract({ left: x, top: 0, width, height })
        .raw()
        .toBuffer();
    // Stands, moves, stands.
    const views = await Promise.all(Array.from({ length: 100 }, (_, n) => camera(n * step)));
    const pan: Film = { count: 100, frame: (number) => views[number]! };
    const { scenes: found } = await analyze(join(still(views[0]!, 30), pan, still(views.at(-1)!, 30)));
    expect(cutsMs(found)).toEqual([]);
  });

  test('are not found where a flash goes off', async () => {
    const flash = join(still(lit(portrait, 1, 150), 1), still(lit(portrait, 1, 90), 2));
    const { scenes: found } = await analyze(join(still(portrait, 50), flash, still(portrait, 50)));
    expect(cutsMs(found)).toEqual([]);
  });

  test('one, where a shot ends in a white flash and another begins', async () => {
    const white = Buffer.alloc(portrait.length, 255);
    const { scenes: found } = await analyze(join(still(portrait, 50), still(white, 3), still(group, 50)));
    expect(cutsMs(found)).toEqual([2000]);
  });

  test('one, where a shot fades into black and another out of it', async () => {
    const fade = (picture: Buffer, from: number, to: number): Film => ({
      count: 25,
      frame: (number) => lit(picture, from + ((to - from) * number) / 24),
    });
    const { scenes: found } = await analyze(
      join(
        still(portrait, 50),
        fade(portrait, 1, 0),
        still(Buffer.alloc(portrait.length), 10),
        fade(group, 0, 1),
        still(group, 50),
      ),
    );
    expect(found).toHaveLength(2);
    // Black lasts from about 2.9 s to 3.6 s; the new scene begins when something can be seen.
    expect(found[1]!.startMs).toBeGreaterThanOrEqual(3400);
    expect(found[1]!.startMs).toBeLessThan(4000);
  });

  test('none, where the film begins in the dark or blinks', async () => {
    const black = Buffer.alloc(portrait.length);
    const { scenes: found } = await analyze(
      join(still(black, 40), still(portrait, 50), still(black, 3), still(portrait, 50)),
    );
    expect(cutsMs(found)).toEqual([]);
  });
});

describe('pictures', () => {
  test('one of each scene, small, of that scene', async () => {
    const { pictures, scenes: found } = await analyze(join(still(portrait, 60), still(group, 60)));
    expect([...pictures.keys()]).toEqual(['scenes/s1.webp', 'scenes/s2.webp']);
    expect(found.map((scene) => scene.thumbnail)).toEqual(['scenes/s1.webp', 'scenes/s2.webp']);
    for (const [name, expected] of [
      ['scenes/s1.webp', portrait],
      ['scenes/s2.webp', group],
    ] as const) {
      const { data, info } = await sharp(pictures.get(name)).raw().toBuffer({ resolveWithObject: true });
      expect([info.format, info.width, info.height]).toEqual(['raw', width, height]);
      const apart = data.reduce((sum, value, at) => sum + Math.abs(value - expected[at]!), 0);
      expect(apart / data.length).toBeLessThan(8);
    }
  });

  test('the one with something to see in it', async () => {
    const black = Buffer.alloc(portrait.length);
    const { scenes: found } = await analyze(join(still(black, 25), still(portrait, 50), still(black, 25)));
    expect(found[0]!.keyframeMs).toBeGreaterThanOrEqual(1000);
    expect(found[0]!.keyframeMs).toBeLessThan(3000);
  });
});

describe('parts', () => {
  const film = () =>
    join(still(portrait, 120), still(group, 130), still(lit(portrait, 0.4), 20), still(group, 80));

  test('say the same as the whole, however often they are asked for', async () => {
    const { scenes: whole } = await analyze(film());
    for (const every of [3, 25, 70]) {
      const { parts, scenes: found } = await analyze(film(), {}, every);
      // The picture of a scene is chosen when its first part is saved: earlier, another one.
      const times = (list: SceneRow[]) =>
        list.map(({ sceneId, startMs, endMs, score }) => [sceneId, startMs, endMs, score]);
      expect(times(found)).toEqual(times(whole));
      let toMs = 0;
      for (const part of parts) {
        for (const row of part.rows) {
          expect(row.startMs).toBeGreaterThanOrEqual(toMs);
          expect(row.endMs).toBeLessThanOrEqual(part.toMs);
        }
        expect(part.toMs).toBeGreaterThanOrEqual(toMs);
        toMs = part.toMs;
      }
      expect(toMs).toBe(film().count * 40);
    }
  });

  test('can be gone on from anywhere: same scenes, same numbers, no picture twice', async () => {
    const { parts } = await analyze(film(), {}, 10);
    const { scenes: whole } = await analyze(film());
    for (let cut = 1; cut < parts.length; cut++) {
      const saved = parts.slice(0, cut).flatMap((part) => part.rows);
      const fromMs = parts[cut - 1]!.toMs;
      const known = new Set(saved.map((row) => SceneRow.parse(row).thumbnail));
      const rest = await analyze(film(), { fromMs, saved });
      const times = (list: SceneRow[]) =>
        list.map(({ sceneId, startMs, endMs }) => [sceneId, startMs, endMs]);
      expect(times(joined([...saved, ...rest.parts.flatMap((part) => part.rows)]))).toEqual(times(whole));
      for (const name of rest.pictures.keys()) expect(known.has(name)).toBe(false);
    }
  });
});

describe('whole media', () => {
  const run = async (path: string) => {
    const rows: ResultRow[] = [];
    const pictures = new Map<string, number>();
    const analysis = await analyzeMedium({
      ...{ source: { path }, analyzers: [scenes], models: noModels, language: null, threads: 2 },
      signal: new AbortController().signal,
      async savePicture(name, bytes) {
        pictures.set(name, bytes.length);
        return name;
      },
      async onPart(_, part) {
        rows.push(...part.rows);
      },
    });
    return { scenes: joined(rows), pictures, outcome: analysis.analyzers[0]!.outcome };
  };

  test('every cut of a film, and no other', async () => {
    for (const path of [media.clip, media.clipWebm]) {
      const { scenes: found, pictures } = await run(path);
      expect(cutsMs(found)).toEqual(clip.cutsMs);
      expect(pictures.size).toBe(3);
      for (const sizeBytes of pictures.values()) expect(sizeBytes).toBeLessThan(30_000);
    }
    const { scenes: found } = await run(media.talk);
    expect(cutsMs(found)).toEqual(media.talkTruth.cutsMs);
    expect(found.at(-1)!.endMs).toBe(60_000);
  });

  test('a picture is one scene without length', async () => {
    const { scenes: found, outcome } = await run(media.jpeg);
    expect(found).toEqual([
      {
        ...{ kind: 'scene', sceneId: 's1', startMs: 0, endMs: 0, score: null, keyframeMs: 0 },
        thumbnail: 'scenes/s1.webp',
      },
    ]);
    expect(outcome.status).toBe('ok');
  });
});
