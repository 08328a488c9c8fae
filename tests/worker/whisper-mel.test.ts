/** Against numbers of numpy with the filters that openai-whisper ships (mel_filters.npz). */
import { describe, expect, test } from 'vitest';
import { BINS, FRAME_SAMPLES, powerSpectra } from '../../gpu-worker/analyzers/speech/whisper/fourier.ts';
import { logMel, WINDOW_FRAMES, WINDOW_SAMPLES } from '../../gpu-worker/analyzers/speech/whisper/log-mel.ts';
import { melFilters } from '../../gpu-worker/analyzers/speech/whisper/mel-filters.ts';

/** 3 s: a tone of 440 Hz, and one that rises from 300 Hz. */
const sound = Float32Array.from({ length: 48_000 }, (_, n) => {
  const seconds = n / 16_000;
  const rising = 300 * seconds + 400 * seconds ** 2;
  return 0.5 * Math.sin(2 * Math.PI * 440 * seconds) + 0.25 * Math.sin(2 * Math.PI * rising);
});

describe.each([
  {
    bands: 80,
    mean: -0.461556,
    values: [
      [0, 0, 1.10354],
      [10, 50, 1.34875],
      [11, 100, 1.4382],
      [30, 200, -0.48268],
      [40, 299, -0.27812],
      [20, 301, 0.1495],
      [5, 2999, -0.48268],
    ],
    filters: [
      [0, 1, 0.024863, 0.024863],
      [20, 19, 0.024863, 0.01389],
      [79, 186, 0.024925, 0.003165],
    ],
  },
  {
    bands: 128,
    mean: -0.420216,
    values: [
      [0, 0, 1.02778],
      [10, 50, -0.43794],
      [40, 299, 0.00752],
      [60, 150, 1.07254],
      [20, 301, 0.33436],
      [5, 2999, -0.43794],
    ],
    filters: [
      [0, 1, 0.012374, 0.012374],
      [20, 12, 0.022578, 0.022578],
      [127, 191, 0.024936, 0.005042],
    ],
  },
])('$bands bands', ({ bands, mean, values, filters }) => {
  test('are weighted as in librosa', () => {
    const all = melFilters(bands);
    expect(all).toHaveLength(bands);
    for (const [band, firstBin, sum, highest] of filters) {
      const filter = all[band!]!;
      expect(filter.firstBin).toBe(firstBin);
      expect(filter.weights.reduce((total, weight) => total + weight, 0)).toBeCloseTo(sum!, 6);
      expect(Math.max(...filter.weights)).toBeCloseTo(highest!, 6);
    }
  });

  test('have the values of openai-whisper', () => {
    const mel = logMel(sound, bands);
    expect(mel).toHaveLength(bands * WINDOW_FRAMES);
    for (const [band, frame, value] of values) {
      expect(mel[band! * WINDOW_FRAMES + frame!]).toBeCloseTo(value!, 4);
    }
    expect(mel.reduce((total, value) => total + value, 0) / mel.length).toBeCloseTo(mean, 5);
  });
});

test('the power of two frames at once is that of a plain Fourier transform of each', () => {
  const frames = [3, 7].map((cycles) =>
    Float64Array.from(
      { length: FRAME_SAMPLES },
      (_, i) => Math.sin((2 * Math.PI * cycles * i) / 400) + i / 400,
    ),
  );
  const powers = frames.map(() => new Float64Array(BINS));
  powerSpectra(frames[0]!, frames[1]!, powers[0]!, powers[1]!);
  for (const [i, frame] of frames.entries()) {
    for (const bin of [0, 1, 3, 7, 99, 200]) {
      let [re, im] = [0, 0];
      for (const [n, value] of frame.entries()) {
        re += value * Math.cos((2 * Math.PI * bin * n) / 400);
        im -= value * Math.sin((2 * Math.PI * bin * n) / 400);
      }
      expect(powers[i]![bin]).toBeCloseTo(re ** 2 + im ** 2, 6);
    }
  }
});

test('sound longer than the window is left out, silence is the same everywhere', () => {
  const long = new Float32Array(WINDOW_SAMPLES + 16_000);
  long.fill(0.5, WINDOW_SAMPLES);
  expect(new Set(logMel(long, 80))).toEqual(new Set([-1.5]));
});
