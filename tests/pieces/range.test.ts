/** Only a stretch of a medium is decoded and analysed, and it is the same as when all of it is. */
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { joinScenes } from '../../functions/core/results/join.ts';
import type { ResultRow } from '../../functions/core/results/rows.ts';
import type { Frame } from '../../gpu-worker/analyzers/analyzer.ts';
import { scenes } from '../../gpu-worker/analyzers/scenes.ts';
import { decode } from '../../gpu-worker/media/decode.ts';
import { probeMedium } from '../../gpu-worker/media/probe.ts';
import { type AnalysisOptions, analyzeMedium } from '../../gpu-worker/pipeline.ts';
import { clip, type TestMedia, testMedia } from '../media/test-media.ts';
import { noModels } from '../worker/no-models.ts';

let media: TestMedia;
beforeAll(async () => {
  media = await testMedia();
}, 240_000);

interface Stretch {
  fromMs: number;
  toMs: number;
}

async function decoded(path: string, { fromMs, toMs }: Stretch) {
  const medium = await probeMedium({ path });
  const plan = { frames: [{ fps: 0, maxWidth: 64, fromMs }], pcm: { fromMs }, toMs, threads: 1 };
  const frames: [number, string][] = [];
  const sound = { startMs: null as number | null, samples: 0 };
  for await (const item of decode({ path }, medium, plan)) {
    if (item.type === 'frame') frames.push([item.frame.tMs, hash(item.frame)]);
    else if (item.type === 'pcm') {
      sound.startMs ??= item.startMs;
      sound.samples += item.samples.length;
    }
  }
  return { frames, sound };
}

const hash = ({ data }: Frame) => createHash('sha256').update(data).digest('hex');

describe.each(['clip', 'clipIndexLast', 'clipWebm', 'liveWebm'] as const)('of %s', (name) => {
  it('frames and sound are those of the whole, and nothing behind the end', async () => {
    const whole = await decoded(media[name], { fromMs: 0, toMs: Infinity });
    const stretch = { fromMs: 3_300, toMs: 7_777 };
    const part = await decoded(media[name], stretch);
    expect(part.frames).toEqual(whole.frames.filter(([tMs]) => tMs >= stretch.fromMs && tMs < stretch.toMs));
    expect(part.sound.startMs).toBe(stretch.fromMs);
    expect(part.sound.samples).toBe((stretch.toMs - stretch.fromMs) * 16);
  });
});

it('sound alone ends there too', async () => {
  const { frames, sound } = await decoded(media.mp3, { fromMs: 2_000, toMs: 5_000 });
  expect(frames).toEqual([]);
  expect(sound).toEqual({ startMs: 2_000, samples: 3_000 * 16 });
});

async function analysed(range: Stretch, resume: AnalysisOptions['resume'] = {}) {
  const parts: { fromMs: number; toMs: number }[] = [];
  const rows: ResultRow[] = [];
  const fractions: number[] = [];
  await analyzeMedium({
    source: { path: media.clip },
    analyzers: [scenes],
    models: noModels,
    ...{ range, resume },
    language: null,
    threads: 1,
    signal: new AbortController().signal,
    savePicture: async (name) => name,
    async onPart(_, { fromMs, toMs, rows: own }) {
      parts.push({ fromMs, toMs });
      rows.push(...own);
    },
    onProgress: (fraction) => fractions.push(fraction),
  });
  return { parts, rows, fractions };
}

it('an analyzer begins and ends with the stretch, and its progress is that of the stretch', async () => {
  const range = { fromMs: 6_000, toMs: 11_000 };
  const { parts, rows, fractions } = await analysed(range);
  expect(parts[0]!.fromMs).toBe(range.fromMs);
  expect(parts.at(-1)!.toMs).toBe(range.toMs);
  // The one cut that lies in it.
  const cutMs = clip.cutsMs[1]!;
  const boundaries = [...new Set(rows.flatMap((row) => [row.startMs, row.endMs]))].filter(
    (ms) => !parts.some((part) => part.fromMs === ms || part.toMs === ms) || ms === cutMs,
  );
  expect(boundaries).toEqual([cutMs]);
  expect(fractions.toSorted((a, b) => a - b)).toEqual(fractions);
  expect(fractions.at(-1)).toBe(1);
  expect(Math.max(...rows.map((row) => row.endMs))).toBe(range.toMs);
});

it('goes on elsewhere after the last saved part, to the same end', async () => {
  const range = { fromMs: 3_000, toMs: 11_000 };
  const whole = await analysed(range);
  expect(whole.parts.length).toBeGreaterThan(1);
  const [first] = whole.parts;
  const saved = whole.rows.filter((row) => row.endMs <= first!.toMs);
  const rest = await analysed(range, { scenes: { fromMs: first!.toMs, saved } });
  expect(rest.parts[0]!.fromMs).toBe(first!.toMs);
  expect(rest.parts.at(-1)!.toMs).toBe(range.toMs);
  expect(joinScenes([...saved, ...rest.rows])).toEqual(joinScenes(whole.rows));
});

it('a stretch behind the end of a film that is shorter than it was taken for has nothing in it', async () => {
  const { rows } = await analysed({ fromMs: 20_000, toMs: 40_000 });
  expect(rows).toEqual([]);
});
