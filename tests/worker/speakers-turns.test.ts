import { describe, expect, test } from 'vitest';
import { normalised } from '../../functions/core/results/embeddings.ts';
import { type VoiceWindow, windowsOf } from '../../gpu-worker/analyzers/speakers/encoder.ts';
import { type Interval, speechIn } from '../../gpu-worker/analyzers/speakers/listener.ts';
import { turnsOf } from '../../gpu-worker/analyzers/speakers/turns.ts';

/** Windows of 32 ms, so many with speech, so many without, and so on. */
const alternating = (...counts: number[]) =>
  counts.flatMap((count, i) => Array<number>(count).fill(i % 2 === 0 ? 0.9 : 0.1));

describe('speech', () => {
  test('is padded a little, and goes on over short pauses', () => {
    expect(speechIn([0, 0, 0, 0, ...alternating(20, 5, 20), 0, 0, 0, 0])).toEqual([
      { startMs: 64, endMs: 1632 },
    ]);
  });

  test('is cut by longer ones', () => {
    expect(speechIn(alternating(20, 30, 20))).toEqual([
      { startMs: 0, endMs: 22 * 32 },
      { startMs: 48 * 32, endMs: 70 * 32 },
    ]);
  });

  test('is no click', () => {
    expect(speechIn([0, ...alternating(3, 40)])).toEqual([]);
    expect(speechIn([])).toEqual([]);
  });

  test('begins where it is sure, and ends where it no longer is', () => {
    const weak = Array<number>(20).fill(0.4);
    expect(speechIn(weak)).toEqual([]);
    expect(speechIn([...weak, ...alternating(10), ...weak])).toEqual([{ startMs: 18 * 32, endMs: 50 * 32 }]);
  });
});

describe('windows', () => {
  test('cover all of the speech and lie within it', () => {
    for (let lengthMs = 500; lengthMs < 6000; lengthMs += 70) {
      const windows = windowsOf({ startMs: 1000, endMs: 1000 + lengthMs });
      expect(windows[0]!.startMs).toBe(1000);
      expect(windows.at(-1)!.endMs).toBeGreaterThan(1000 + lengthMs - 10);
      expect(windows.at(-1)!.endMs).toBeLessThanOrEqual(1000 + lengthMs);
      for (const [i, window] of windows.slice(1).entries()) {
        expect(window.startMs - windows[i]!.startMs).toBeLessThanOrEqual(400);
        expect(window.startMs).toBeGreaterThan(windows[i]!.startMs);
      }
    }
  });

  test('there are none where it is too short to tell a voice', () => {
    expect(windowsOf({ startMs: 0, endMs: 400 })).toEqual([]);
  });
});

interface Said extends Interval {
  /** Direction of the voice's vector; two of them are .6 alike. */
  voice: 0 | 1;
}

const voices = [Float32Array.of(1, 0, 0, 0), Float32Array.of(0.6, 0.8, 0, 0)];

/** What the encoder would make of it: each window is like the voices in it, by their time, and a little unlike either. */
function windowsWith(speech: Interval[], said: Said[]): VoiceWindow[] {
  return speech.flatMap(windowsOf).map((window, index) => {
    const sum = Float32Array.of(0, 0, index % 2 === 0 ? 0.35 : 0, index % 2 === 0 ? 0 : 0.35);
    for (const { startMs, endMs, voice } of said) {
      const ms = Math.max(0, Math.min(endMs, window.endMs) - Math.max(startMs, window.startMs));
      for (let i = 0; i < 4; i++) sum[i]! += (voices[voice]![i]! * ms) / (window.endMs - window.startMs);
    }
    return { ...window, embedding: normalised(sum) };
  });
}

const turnsWith = (speech: Interval[], said: Said[]) => turnsOf(speech, windowsWith(speech, said));

describe('turns', () => {
  test('change where the voice does, in the middle of speech', () => {
    const turns = turnsWith(
      [{ startMs: 1000, endMs: 11_000 }],
      [
        { startMs: 1000, endMs: 5200, voice: 0 },
        { startMs: 5200, endMs: 11_000, voice: 1 },
      ],
    );
    expect(turns).toHaveLength(2);
    expect(turns[0]!.startMs).toBe(1000);
    expect(Math.abs(turns[0]!.endMs - 5200)).toBeLessThanOrEqual(400);
    expect(turns[1]).toMatchObject({ startMs: turns[0]!.endMs, endMs: 11_000 });
    for (const [i, { embedding }] of turns.entries()) {
      const alike = voices.map((voice) => voice.reduce((sum, value, j) => sum + value * embedding[j]!, 0));
      expect(alike[i]!).toBeGreaterThan(alike[1 - i]! + 0.2);
    }
  });

  test('go back to a voice that spoke before', () => {
    const said: Said[] = [0, 1, 0, 1].map((voice, i) => ({
      ...{ startMs: i * 4000, endMs: (i + 1) * 4000, voice: voice as 0 | 1 },
    }));
    expect(turnsWith([{ startMs: 0, endMs: 16_000 }], said)).toHaveLength(4);
  });

  test('do not change for a moment', () => {
    const said: Said[] = [
      { startMs: 0, endMs: 5000, voice: 0 },
      { startMs: 5000, endMs: 5300, voice: 1 },
      { startMs: 5300, endMs: 10_000, voice: 0 },
    ];
    expect(turnsWith([{ startMs: 0, endMs: 10_000 }], said)).toMatchObject([{ startMs: 0, endMs: 10_000 }]);
  });

  test('go on over a short pause and end at a long one', () => {
    const speech = [
      { startMs: 0, endMs: 3000 },
      { startMs: 3400, endMs: 6000 },
      { startMs: 7000, endMs: 9000 },
    ];
    const said: Said[] = speech.map((interval) => ({ ...interval, voice: 0 }));
    expect(turnsWith(speech, said)).toMatchObject([
      { startMs: 0, endMs: 6000 },
      { startMs: 7000, endMs: 9000 },
    ]);
  });

  test('are not made of speech too short to tell the voice', () => {
    const speech = [
      { startMs: 0, endMs: 3000 },
      { startMs: 5000, endMs: 5300 },
    ];
    const said: Said[] = speech.map((interval) => ({ ...interval, voice: 0 }));
    expect(turnsWith(speech, said)).toMatchObject([{ startMs: 0, endMs: 3000 }]);
    expect(turnsOf([], [])).toEqual([]);
  });
});
