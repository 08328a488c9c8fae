/** `signals` on whole media through the pipeline, held against FFmpeg's own measuring filters. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { FF_ENCODER_AAC, FF_ENCODER_LIBX264 } from 'node-av/constants';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinSignals, loudnessOf } from '../../functions/core/results/join.ts';
import { joinLoudness } from '../../functions/core/results/loudness.ts';
import type { ResultRow } from '../../functions/core/results/rows.ts';
import { signals } from '../../gpu-worker/analyzers/signals.ts';
import { analyzeMedium } from '../../gpu-worker/pipeline.ts';
import { encode } from '../media/encode.ts';
import { type TestMedia, testMedia } from '../media/test-media.ts';
import { ffmpegSays, timesOf } from './ffmpeg-filter.ts';
import { noModels } from './no-models.ts';
import { tone } from './signals-film.ts';

let media: TestMedia;
let folder: string;

beforeAll(async () => {
  media = await testMedia();
  folder = await mkdtemp(path.join(tmpdir(), 'aima-signals-'));
}, 240_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Part {
  fromMs: number;
  toMs: number;
  rows: ResultRow[];
}

async function run(file: string, after: Part[] = []) {
  const parts: Part[] = [];
  const rowsOf = (list: Part[]) => list.flatMap((part) => part.rows);
  const analysis = await analyzeMedium({
    ...{ source: { path: file }, analyzers: [signals], models: noModels, language: null, threads: 2 },
    signal: new AbortController().signal,
    resume: after.length > 0 ? { signals: { fromMs: after.at(-1)!.toMs, saved: rowsOf(after) } } : {},
    savePicture: () => Promise.reject(new Error('no picture is kept')),
    async onPart(_, part) {
      parts.push(part);
    },
  });
  const rows = rowsOf([...after, ...parts]);
  const found = (signal: string) =>
    joinSignals(rows)
      .filter((one) => one.signal === signal)
      .map(({ startMs, endMs }) => [startMs, endMs]);
  return { parts, found, loudness: joinLoudness(loudnessOf(rows)), outcome: analysis.analyzers[0]!.outcome };
}

/** 320 x 180, ten pictures a second, each of one grey with a lighter bar in it. */
async function film(name: string, durationMs: number, grey: (tMs: number) => number, soundMs: number) {
  const file = path.join(folder, name);
  const [width, height, fps] = [320, 180, 10];
  async function* frames() {
    for (let tMs = 0; tMs < durationMs; tMs += 100) {
      const rgb = Buffer.alloc(width * height * 3, grey(tMs));
      if (grey(tMs) > 25) rgb.fill(250, 0, width * 30);
      yield { tMs, rgb };
    }
  }
  const picture = { codec: FF_ENCODER_LIBX264, options: { preset: 'ultrafast' }, width, height, fps };
  await encode(file, {
    picture: { ...picture, frames: frames() },
    ...(soundMs > 0
      ? { sound: { codec: FF_ENCODER_AAC, samples: tone(soundMs, -20), sampleRate: 16_000 } }
      : {}),
  });
  return file;
}

const moving = (tMs: number) => 60 + ((tMs / 100) % 2) * 40;

/** Pairs of a beginning and an end; what lasts to the end of the file has no end there. */
function near(found: number[][], starts: number[], ends: number[], withinMs: number): void {
  expect(found).toHaveLength(starts.length);
  for (const [index, [startMs, endMs]] of found.entries()) {
    expect(Math.abs(startMs! - starts[index]!)).toBeLessThanOrEqual(withinMs);
    if (index < ends.length) expect(Math.abs(endMs! - ends[index]!)).toBeLessThanOrEqual(withinMs);
  }
}

describe('a film with sound', () => {
  it('is as silent and still as FFmpeg says', async () => {
    const { found, outcome } = await run(media.talk);
    const mono = 'aresample=16000,aformat=sample_fmts=flt:channel_layouts=mono,silencedetect';
    const silent = await ffmpegSays(media.talk, 'audio', mono);
    near(found('silence'), timesOf(silent, 'lavfi.silence_start'), timesOf(silent, 'lavfi.silence_end'), 2);
    const still = await ffmpegSays(media.talk, 'video', 'freezedetect');
    const [starts, ends] = ['start', 'end'].map((end) => timesOf(still, `lavfi.freezedetect.freeze_${end}`));
    expect(starts!.length).toBeGreaterThan(2);
    near(found('freeze'), starts!, ends!, 100);
    expect(found('black')).toEqual([]);
    expect(outcome.status).toBe('ok');
  });

  it('is as loud as FFmpeg says', async () => {
    for (const file of [media.talk, media.clipWebm, media.wav]) {
      const { loudness } = await run(file);
      const said = await ffmpegSays(file, 'audio', 'aresample=48000,ebur128=metadata=1');
      const [integrated, momentary] = ['I', 'M'].map((name) => timesOf(said, `lavfi.r128.${name}`));
      expect(Math.abs(loudness!.integratedLufs! - integrated!.at(-1)! / 1000)).toBeLessThan(0.15);
      const loudest = loudness!.momentaryLufs.reduce<number>((most, one) => Math.max(most, one ?? most), -70);
      expect(Math.abs(loudest - Math.max(...momentary!) / 1000)).toBeLessThan(0.15);
      // 16 kHz hold nothing that its sound has not.
      expect(Math.max(...loudness!.peaks)).toBeGreaterThan(0.2);
    }
  });

  it('gives the same where it is resumed', async () => {
    const whole = await run(media.talk);
    expect(whole.parts.length).toBeGreaterThan(5);
    for (const count of [1, 3, 5]) {
      const rest = await run(media.talk, whole.parts.slice(0, count));
      for (const signal of ['silence', 'freeze']) {
        near(rest.found(signal), ...(ends(whole.found(signal)) as [number[], number[]]), 1);
      }
      expect(rest.loudness!.momentaryLufs).toHaveLength(whole.loudness!.momentaryLufs.length);
      expect(rest.loudness!.integratedLufs).toBe(whole.loudness!.integratedLufs);
    }
  });

  it('is black where FFmpeg says so', async () => {
    const black = (tMs: number) =>
      (tMs >= 3000 && tMs < 6500) || (tMs >= 9000 && tMs < 10_500) ? 8 : moving(tMs);
    const file = await film('black.mp4', 15_000, (tMs) => (tMs >= 12_500 ? 0 : black(tMs)), 15_000);
    const { found } = await run(file);
    expect(found('black')).toEqual([
      [3000, 6500],
      [12_500, 15_000],
    ]);
    const said = await ffmpegSays(file, 'video', 'blackdetect');
    // It tells of each beginning, and only in its log which of them were long enough: not the second.
    const [starts, ends] = ['start', 'end'].map((end) => timesOf(said, `lavfi.black_${end}`));
    near(found('black'), starts!.toSpliced(1, 1), ends!.toSpliced(1, 1), 1);
  });
});

describe('a medium in which there is only one of the two', () => {
  it('without sound still has its pictures, in parts', async () => {
    const { found, parts, loudness, outcome } = await run(media.silent);
    expect(found('freeze')).toEqual([
      [0, 1999],
      [10_000, 12_000],
    ]);
    expect(found('silence')).toEqual([]);
    expect(loudness).toBeNull();
    expect(parts.length).toBeGreaterThan(1);
    expect(outcome.status).toBe('ok');
  });

  it('without pictures still has its sound', async () => {
    const { found, loudness } = await run(media.mp3);
    expect(found('freeze')).toEqual([]);
    expect(loudness!.integratedLufs).toBeLessThan(-10);
    expect(loudness!.momentaryLufs).toHaveLength(110);
  });

  it('a picture is nothing to it', async () => {
    expect((await run(media.jpeg)).outcome.status).toBe('skipped');
  });

  it('whose sound ends long before its pictures is saved on, and resumed, without it', async () => {
    const still = (tMs: number) => (tMs >= 30_000 && tMs < 33_000 ? 90 : moving(tMs));
    const file = await film('mute.mp4', 45_000, still, 6000);
    const whole = await run(file);
    expect(whole.found('freeze')).toEqual([[30_000, 32_999]]);
    expect(whole.found('silence')).toEqual([]);
    expect(whole.loudness!.momentaryLufs.length).toBeGreaterThan(59);
    const saved = whole.parts.map((part) => part.toMs);
    expect(saved.filter((toMs) => toMs > 10_000 && toMs < 40_000).length).toBeGreaterThan(1);
    const rest = await run(file, whole.parts.slice(0, -2));
    expect(rest.found('freeze')).toEqual(whole.found('freeze'));
    const [own, all] = [rest, whole].map(({ loudness }) => loudness!.momentaryLufs);
    expect(own).toEqual(all!.slice(0, own!.length));
    // The rest of the sound comes at the end of the file, of a time that was saved.
    expect(all!.length - own!.length).toBeLessThanOrEqual(5);
  });
});

const ends = (stretches: number[][]) => [0, 1].map((at) => stretches.map((one) => one[at]!));
