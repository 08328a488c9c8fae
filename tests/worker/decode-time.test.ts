import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { orientationOf } from '../../gpu-worker/media/orientation.ts';
import { pcmRun } from '../../gpu-worker/media/pcm.ts';
import { frameSampler } from '../../gpu-worker/media/sampling.ts';

describe('frameSampler', () => {
  const times = (fps: number, count: number) =>
    Array.from({ length: count }, (_, n) => Math.round((n * 1000) / fps));
  const taken = (feed: { fps: number; fromMs?: number }, all: number[]) => {
    const due = frameSampler([{ maxWidth: 1, fromMs: 0, ...feed }]);
    return all.filter((tMs) => due(tMs).length > 0);
  };

  test('takes every frame at 0, and at the rate of the film', () => {
    for (const fps of [24, 25, 30, 50, 60]) {
      expect(taken({ fps: 0 }, times(fps, 500))).toHaveLength(500);
      expect(taken({ fps }, times(fps, 500))).toHaveLength(500);
    }
  });

  test('takes at most so many a second, and one in each slot that has any', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 20_000 }), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 0, max: 20_000 }),
        (unsorted, fps, fromMs) => {
          const all = unsorted.toSorted((a, b) => a - b);
          const slots = new Set(
            all.filter((tMs) => tMs >= fromMs).map((tMs) => Math.floor(((tMs + 0.5) * fps) / 1000)),
          );
          expect(taken({ fps, fromMs }, all)).toHaveLength(slots.size);
        },
      ),
    );
  });
});

describe('pcmRun', () => {
  /** A signal whose every sample is its own number, in pieces with their times. */
  function run(pieces: { tMs: number; count: number }[], fromMs: number, endMs: number) {
    const pcm = pcmRun(fromMs, endMs);
    const chunks = pieces.flatMap(({ tMs, count }) => [
      ...pcm.push(
        Float32Array.from({ length: count }, (_, n) => tMs * 16 + n),
        tMs,
      ),
    ]);
    chunks.push(...pcm.end());
    return {
      startMs: chunks[0]?.startMs ?? null,
      samples: chunks.flatMap((chunk) => [...chunk.samples]),
      chunks,
    };
  }

  test('keeps the time of every sample, from wherever it is wanted', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3_000 }),
        fc.integer({ min: 0, max: 2_000 }),
        fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 12 }),
        (fromMs, beginMs, lengthsMs) => {
          let tMs = beginMs;
          const pieces = lengthsMs.map((lengthMs) => {
            const piece = { tMs, count: lengthMs * 16 };
            tMs += lengthMs;
            return piece;
          });
          const { startMs, samples, chunks } = run(pieces, fromMs, tMs);
          const first = Math.max(fromMs, beginMs);
          expect(samples).toHaveLength(Math.max(0, tMs - first) * 16);
          if (samples.length > 0) expect(startMs).toBe(first);
          expect(samples.every((value, n) => value === first * 16 + n)).toBe(true);
          for (const [at, chunk] of chunks.entries()) expect(chunk.startMs).toBe(first + at * 500);
        },
      ),
    );
  });

  test('fills what is missing with silence and drops what comes twice', () => {
    const { samples } = run(
      [
        { tMs: 0, count: 16_000 },
        { tMs: 1_500, count: 16_000 },
        { tMs: 2_000, count: 16_000 },
      ],
      0,
      3_000,
    );
    expect(samples).toHaveLength(48_000);
    expect(samples[15_999]).toBe(15_999);
    expect(samples.slice(16_000, 24_000).every((value) => value === 0)).toBe(true);
    expect(samples[24_000]).toBe(24_000);
    expect(samples[47_999]).toBe(47_999);
  });

  test('a time that leaps to the moon costs no more silence than the medium is long', () => {
    const { samples } = run(
      [
        { tMs: 0, count: 1_600 },
        { tMs: 1e9, count: 1_600 },
      ],
      0,
      2_000,
    );
    expect(samples.length).toBeLessThanOrEqual(2_000 * 16 + 1_600);
  });

  test('does not follow times that only tremble', () => {
    const { samples } = run(
      [
        { tMs: 0, count: 16_000 },
        { tMs: 1_030, count: 16_000 },
        { tMs: 1_970, count: 16_000 },
      ],
      0,
      3_000,
    );
    expect(samples).toHaveLength(48_000);
  });
});

describe('orientationOf', () => {
  const matrix = (a: number, b: number, c: number, d: number) => {
    const bytes = Buffer.alloc(36);
    [a, b, 0, c, d].forEach((value, at) => {
      bytes.writeInt32LE(value * 65536, at * 4);
    });
    return bytes;
  };

  test.each([
    ['none', null, 0, []],
    ['upright', matrix(1, 0, 0, 1), 0, []],
    ['a quarter clockwise', matrix(0, 1, -1, 0), 90, ['transpose=clock']],
    ['half', matrix(-1, 0, 0, -1), 180, ['hflip', 'vflip']],
    ['a quarter back', matrix(0, -1, 1, 0), 270, ['transpose=cclock']],
    ['mirrored upside down', matrix(1, 0, 0, -1), 0, ['vflip']],
  ] as const)('%s', (_, bytes, rotation, filters) => {
    expect(orientationOf(bytes)).toEqual({ rotation, filters });
  });
});
