import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Frame } from '../../gpu-worker/analyzers/analyzer.ts';
import { decode } from '../../gpu-worker/media/decode.ts';
import { probeMedium } from '../../gpu-worker/media/probe.ts';
import type { FrameFeed } from '../../gpu-worker/media/sampling.ts';
import { clip, type TestMedia, testMedia, unevenTimesMs } from '../media/test-media.ts';

let media: TestMedia;
beforeAll(async () => {
  media = await testMedia();
}, 240_000);

interface Fed {
  frames: Frame[][];
  samples: Float32Array;
  pcmStartMs: number | null;
  damages: string[];
}

async function decodeAll(path: string, feeds: FrameFeed[], pcmFromMs: number | null): Promise<Fed> {
  const fed: Fed = {
    frames: feeds.map(() => []),
    samples: new Float32Array(),
    pcmStartMs: null,
    damages: [],
  };
  const chunks: Float32Array[] = [];
  let nextMs: number | null = null;
  const medium = await probeMedium({ path });
  const pcm = pcmFromMs === null ? null : { fromMs: pcmFromMs };
  for await (const item of decode({ path }, medium, { frames: feeds, pcm, threads: 2 })) {
    if (item.type === 'frame') for (const feed of item.feeds) fed.frames[feed]!.push(item.frame);
    else if (item.type === 'damage') fed.damages.push(item.sentence);
    else {
      fed.pcmStartMs ??= item.startMs;
      if (nextMs !== null) expect(item.startMs).toBe(nextMs);
      nextMs = item.startMs + item.samples.length / 16;
      chunks.push(item.samples);
    }
  }
  fed.samples = Float32Array.from(chunks.flatMap((chunk) => [...chunk]));
  return fed;
}

const everyFrame = { fps: 0, maxWidth: 160, fromMs: 0 };
const hash = (frame: Frame) => createHash('sha256').update(frame.data).digest('hex');

/** Darkest and brightest value. */
const range = (data: Uint8Array) =>
  data.reduce(([low, high], value) => [Math.min(low!, value), Math.max(high!, value)], [255, 0]);

/** Mean absolute difference of two signals, relative to the loudness of the first. */
function difference(a: Float32Array, b: Float32Array): number {
  let apart = 0;
  let loudness = 0;
  for (let i = 0; i < a.length; i++) {
    apart += Math.abs(a[i]! - (b[i] ?? 0));
    loudness += Math.abs(a[i]!);
  }
  return apart / loudness;
}

describe('probeMedium', () => {
  test('describes films, sound and pictures', async () => {
    expect(await probeMedium({ path: media.talk })).toMatchObject({
      ...{ kind: 'video', container: 'mp4', durationMs: 60_000, width: 1280, height: 720, fps: 25 },
      ...{ rotation: 0, hasSound: true, streams: [{ codec: 'h264' }, { codec: 'aac' }] },
    });
    expect(await probeMedium({ path: media.clipWebm })).toMatchObject({
      ...{ kind: 'video', container: 'matroska', streams: [{ codec: 'vp8' }, { codec: 'opus' }] },
    });
    expect(await probeMedium({ path: media.silent })).toMatchObject({ kind: 'video', hasSound: false });
    expect(await probeMedium({ path: media.wav })).toMatchObject({
      ...{ kind: 'audio', container: 'wav', durationMs: 11_000, width: null, fps: null, hasSound: true },
    });
    expect(await probeMedium({ path: media.mp3 })).toMatchObject({ kind: 'audio', container: 'mp3' });
    for (const [path, container] of [
      [media.jpeg, 'jpeg'],
      [media.webp, 'webp'],
    ] as const) {
      expect(await probeMedium({ path })).toMatchObject({
        ...{ kind: 'image', container, durationMs: 0, width: 650, height: 366, hasSound: false },
      });
    }
  });

  test('gives upright sizes', async () => {
    expect(await probeMedium({ path: media.phone })).toMatchObject({ width: 360, height: 640, rotation: 90 });
    expect(await probeMedium({ path: media.jpegOnSide })).toMatchObject({
      ...{ width: 650, height: 366, rotation: 90 },
    });
  });

  test('finds the duration of a browser recording, which carries none', async () => {
    const { durationMs } = await probeMedium({ path: media.liveWebm });
    expect(Math.abs(durationMs - 12_000)).toBeLessThan(100);
  });

  test.each([
    ['empty', 'broken_media', 'The file is empty.'],
    ['textNamedMp4', 'unsupported_media', 'This is not a picture, sound or film that can be read.'],
    ['playlist', 'unsupported_media', 'This is a playlist, not a film: upload the film that it names.'],
    ['truncatedIndexLast', 'broken_media', 'The file ends too early: its index (moov) is missing.'],
    ['truncated', 'broken_media', 'The file ends too early: about 50 % of it is missing.'],
    ['tooLargePng', 'media_too_large', 'The picture has 12000 × 12000 pixels; at most 100 million are read.'],
  ] as const)('says what is wrong with %s', async (name, code, message) => {
    await expect(probeMedium({ path: media[name] })).rejects.toMatchObject({ code, message });
  });

  test('says that a file is not there', async () => {
    await expect(probeMedium({ path: `${media.talk}.not` })).rejects.toMatchObject({
      code: 'media_unreachable',
    });
  });
});

describe('decode: pictures of a film', () => {
  test('gives every frame, and fewer and smaller ones to those who ask for less, in one pass', async () => {
    const feeds = [
      everyFrame,
      { fps: 2, maxWidth: 640, fromMs: 0 },
      { fps: 2, maxWidth: 320, fromMs: 5_000 },
      { fps: 10, maxWidth: 4_000, fromMs: 0 },
    ];
    const { frames } = await decodeAll(media.clip, feeds, null);
    expect(frames[0]!.map((frame) => frame.tMs)).toEqual(
      Array.from({ length: 300 }, (_, n) => n * (1000 / clip.fps)),
    );
    expect(frames[0]![0]).toMatchObject({ width: 160, height: 90 });
    expect(frames[1]!.map((frame) => frame.tMs).slice(0, 4)).toEqual([0, 520, 1000, 1520]);
    expect(frames[1]).toHaveLength(24);
    expect(frames[2]!.map((frame) => frame.tMs).slice(0, 2)).toEqual([5000, 5520]);
    // Never larger than the film; what two ask for in the same size is made once.
    expect(frames[3]![0]).toMatchObject({ width: 640, height: 360 });
    expect(frames[3]).toHaveLength(120);
    expect(frames[3]![0]).toBe(frames[1]![0]);
    for (const { width, height, data } of frames.flat()) expect(data).toHaveLength(width * height * 3);
  });

  test('shows what was filmed, in its colours', async () => {
    const { frames } = await decodeAll(media.talk, [{ fps: 1, maxWidth: 1280, fromMs: 16_000 }], null);
    const { data, width, height } = frames[0]![0]!;
    const pixel = (x: number, y: number) => [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
    expect([width, height]).toEqual([1280, 720]);
    // The slide's background, #20242c.
    for (const [at, value] of [0x20, 0x24, 0x2c].entries()) {
      expect(Math.abs(pixel(20, 20)[at]! - value)).toBeLessThan(8);
    }
    expect(range(data)[1]).toBeGreaterThan(240);
  });

  test('keeps the times of a film whose frames come unevenly', async () => {
    const { frames } = await decodeAll(media.uneven, [everyFrame], null);
    expect(frames[0]!.map((frame) => frame.tMs)).toEqual(unevenTimesMs);
  });

  test('turns what a phone filmed upright', async () => {
    const { frames } = await decodeAll(media.phone, [{ ...everyFrame, maxWidth: 90 }], null);
    const upright = frames[0]![0]!;
    expect([upright.width, upright.height]).toEqual([90, 160]);
    // The film's second 3 is the same picture, not turned.
    const plain = await decodeAll(media.clip, [{ fps: 0, maxWidth: 160, fromMs: 3_000 }], null);
    const expected = await sharp(plain.frames[0]![0]!.data, { raw: { width: 160, height: 90, channels: 3 } })
      .rotate(90)
      .raw()
      .toBuffer();
    const apart = expected.reduce((sum, value, at) => sum + Math.abs(value - upright.data[at]!), 0);
    expect(apart / expected.length).toBeLessThan(6);
  });

  test('gives from the middle on the very frames that it gives from the start', async () => {
    for (const path of [media.clip, media.clipWebm]) {
      const whole = await decodeAll(path, [everyFrame, { ...everyFrame, fps: 3 }], null);
      const rest = await decodeAll(
        path,
        [
          { ...everyFrame, fromMs: 7_300 },
          { ...everyFrame, fps: 3, fromMs: 8_000 },
        ],
        null,
      );
      for (const [feed, fromMs] of [7_300, 8_000].entries()) {
        const expected = whole.frames[feed]!.filter((frame) => frame.tMs >= fromMs);
        expect(rest.frames[feed]!.map((frame) => [frame.tMs, hash(frame)])).toEqual(
          expected.map((frame) => [frame.tMs, hash(frame)]),
        );
      }
    }
  });

  test('goes on behind a damaged place', async () => {
    const { frames } = await decodeAll(media.scratched, [everyFrame], 0);
    expect(frames[0]!.length).toBeGreaterThan(200);
    expect(frames[0]!.at(-1)!.tMs).toBeGreaterThan(11_500);
  });
});

describe('decode: sound', () => {
  test('gives 16 kHz mono samples as they were recorded', async () => {
    const wav = await readFile(media.wav);
    const { samples, pcmStartMs } = await decodeAll(media.wav, [], 0);
    expect(pcmStartMs).toBe(0);
    expect(samples).toHaveLength(11 * 16_000);
    const expected = Float32Array.from(
      samples,
      (_, at) => wav.readInt16LE(wav.length - 352_000 + at * 2) / 32768,
    );
    expect(difference(expected, samples)).toBeLessThan(0.001);
  });

  test('finds the same sound at the same time in every coding', async () => {
    const { samples: reference } = await decodeAll(media.wav, [], 0);
    for (const path of [media.clip, media.clipWebm]) {
      const { samples, pcmStartMs } = await decodeAll(path, [everyFrame], 0);
      expect(pcmStartMs).toBe(0);
      expect(Math.abs(samples.length - 12 * 16_000)).toBeLessThan(1_000);
      // The clip begins 3 s after the recording does.
      const [from, to] = [16_000, 6 * 16_000];
      const cut = samples.subarray(from, to);
      const expected = reference.subarray(from + 48_000, to + 48_000);
      const shifts = [-80, -40, -16, 0, 16, 40, 80];
      const apart = shifts.map((shift) => difference(expected, samples.subarray(from + shift, to + shift)));
      expect(cut).toHaveLength(expected.length);
      expect(shifts[apart.indexOf(Math.min(...apart))]).toBe(0);
    }
  });

  test('gives from the middle on the very samples that it gives from the start', async () => {
    for (const [path, feeds] of [
      [media.clip, [{ ...everyFrame, fromMs: 6_000 }]],
      [media.mp3, []],
    ] as const) {
      const whole = await decodeAll(path, [...feeds], 0);
      const rest = await decodeAll(path, [...feeds], 6_001);
      expect(rest.pcmStartMs).toBe(6_001);
      const expected = whole.samples.subarray(6_001 * 16);
      expect(Math.abs(rest.samples.length - expected.length)).toBeLessThan(32);
      expect(difference(expected, rest.samples)).toBeLessThan(0.02);
    }
  });

  test('is absent where there is none', async () => {
    const { samples, frames } = await decodeAll(media.silent, [everyFrame], 0);
    expect(samples).toHaveLength(0);
    expect(frames[0]).toHaveLength(300);
  });
});

describe('decode: still pictures', () => {
  test('gives one frame, scaled down, never up', async () => {
    const feeds = [
      { fps: 0, maxWidth: 320, fromMs: 0 },
      { fps: 2, maxWidth: 5_000, fromMs: 0 },
    ];
    for (const path of [media.jpeg, media.webp]) {
      const { frames } = await decodeAll(path, feeds, 0);
      expect(frames.map((list) => list.map(({ tMs, width, height }) => [tMs, width, height]))).toEqual([
        [[0, 320, 180]],
        [[0, 650, 366]],
      ]);
    }
  });

  test('turns upright by EXIF', async () => {
    const feed = { fps: 0, maxWidth: 650, fromMs: 0 };
    const [plain, onSide] = [
      (await decodeAll(media.jpeg, [feed], null)).frames[0]![0]!,
      (await decodeAll(media.jpegOnSide, [feed], null)).frames[0]![0]!,
    ];
    expect([onSide.width, onSide.height]).toEqual([650, 366]);
    const apart = plain.data.reduce((sum, value, at) => sum + Math.abs(value - onSide.data[at]!), 0);
    expect(apart / plain.data.length).toBeLessThan(6);
  });

  test('makes RGB of grey pictures and of palettes', async () => {
    for (const path of [media.png, media.gif]) {
      const { frames } = await decodeAll(path, [{ fps: 0, maxWidth: 1280, fromMs: 0 }], null);
      const { data } = frames[0]![0]!;
      expect(data).toHaveLength(1280 * 720 * 3);
      expect(range(data)).toEqual([0, 255]);
    }
  });

  test('reads the largest picture scaled down', async () => {
    const { frames } = await decodeAll(media.hugePng, [{ fps: 0, maxWidth: 1280, fromMs: 0 }], null);
    expect(frames[0]![0]).toMatchObject({ width: 1280, height: 1280 });
    expect([...frames[0]![0]!.data.subarray(0, 3)]).toEqual([0x20, 0x40, 0x60]);
  });

  test('refuses one that ends too early', async () => {
    await expect(decodeAll(media.truncatedJpeg, [everyFrame], null)).rejects.toMatchObject({
      ...{ code: 'broken_media', message: 'The picture is damaged or ends too early.' },
    });
  });
});

describe('decode: who takes is slow or leaves', () => {
  test('stops in the middle and lets go of the file', async () => {
    const medium = await probeMedium({ path: media.clip });
    const plan = { frames: [everyFrame], pcm: { fromMs: 0 }, threads: 1 };
    for (let round = 0; round < 20; round++) {
      let taken = 0;
      for await (const item of decode({ path: media.clip }, medium, plan)) {
        if (item.type === 'frame' && ++taken === 5) break;
      }
      expect(taken).toBe(5);
    }
  });

  test('ends with the reason of its signal', async () => {
    const medium = await probeMedium({ path: media.clip });
    const abort = new AbortController();
    const reason = new Error('enough');
    const run = async () => {
      const plan = { frames: [everyFrame], pcm: null, threads: 1, signal: abort.signal };
      for await (const item of decode({ path: media.clip }, medium, plan)) {
        if (item.type === 'frame' && item.frame.tMs > 1_000) abort.abort(reason);
      }
    };
    await expect(run()).rejects.toBe(reason);
  });
});
