import { describe, expect, test } from 'vitest';
import { whisperModelOf } from '../../gpu-worker/analyzers/speech/speech-model.ts';
import { bcp47, chooseLanguage, whisperCode } from '../../gpu-worker/analyzers/speech/whisper/language.ts';
import { quietestAt } from '../../gpu-worker/analyzers/speech/whisper/quietest.ts';
import type { VoicedStretch } from '../../gpu-worker/analyzers/speech/whisper/voiced-sound.ts';
import {
  placeInMedium,
  type VoicedWindow,
  WindowPacker,
} from '../../gpu-worker/analyzers/speech/whisper/windows.ts';

const SAMPLES_PER_MS = 16;

/** A stretch of so many ms, of which the first `soundMs` are heard. */
function stretch(fromMs: number, toMs: number, soundMs: number): VoicedStretch {
  const from = fromMs * SAMPLES_PER_MS;
  const samples = new Float32Array(soundMs * SAMPLES_PER_MS).fill(fromMs);
  return {
    ...{ from, to: toMs * SAMPLES_PER_MS },
    sound: soundMs > 0 ? { from, samples, speechMs: soundMs } : null,
  };
}

function pack(stretches: VoicedStretch[]): VoicedWindow[] {
  const packer = new WindowPacker();
  return [...stretches.flatMap((each) => packer.add(each)), ...packer.finish()];
}

const spans = (windows: VoicedWindow[]) =>
  windows.map(({ from, to }) => [from / SAMPLES_PER_MS, to / SAMPLES_PER_MS]);

describe('windows', () => {
  test('hold stretches as long as they fit into 29 s', () => {
    const windows = pack([
      stretch(0, 12_000, 10_000),
      stretch(12_000, 25_000, 12_000),
      stretch(25_000, 36_000, 8_000),
    ]);
    expect(spans(windows)).toEqual([
      [0, 25_000],
      [25_000, 36_000],
    ]);
    expect(windows[0]!.sound).toHaveLength(22_000 * SAMPLES_PER_MS);
    expect(windows[0]!.speechMs).toBe(22_000);
  });

  test('begin with speech and close after a minute', () => {
    const silence = Array.from({ length: 9 }, (_, i) => stretch((i + 2) * 10_000, (i + 3) * 10_000, 0));
    const windows = pack([stretch(0, 10_000, 0), stretch(10_000, 20_000, 3_000), ...silence]);
    expect(spans(windows)).toEqual([[10_000, 70_000]]);
  });

  test('are the same when it goes on where one begins', () => {
    const stretches = Array.from({ length: 40 }, (_, i) =>
      stretch(i * 9_000, (i + 1) * 9_000, (i * 7_919) % 9_000),
    );
    const whole = pack(stretches);
    expect(whole.length).toBeGreaterThan(5);
    for (const { from } of whole) {
      const resumed = pack(stretches.filter((each) => each.from >= from));
      expect(spans(resumed)).toEqual(spans(whole.filter((window) => window.from >= from)));
    }
  });

  test('hold nothing where nobody speaks', () => {
    expect(pack([stretch(0, 10_000, 0), stretch(10_000, 20_000, 0)])).toEqual([]);
  });
});

describe('times in the medium', () => {
  const [window] = pack([stretch(1_000, 5_000, 2_000), stretch(60_000, 64_000, 2_000)]);
  const place = (...words: [number, number][]) =>
    placeInMedium(
      words.map(([start, end]) => ({ start, end })),
      window!,
    ).map(({ startMs, endMs }) => [startMs, endMs]);

  test('lead over the silence that was left out', () => {
    expect(place([0, 0.5], [2.5, 3])).toEqual([
      [1_000, 1_500],
      [60_500, 61_000],
    ]);
  });

  test('of a word across the border lie where its middle is', () => {
    expect(place([1.5, 2.1], [2.2, 2.4])).toEqual([
      [2_500, 3_000],
      [60_200, 60_400],
    ]);
    expect(place([1.9, 2.4])).toEqual([[60_000, 60_400]]);
  });

  test('follow each other, last a moment, and stay inside, whatever the model says', () => {
    const placed = place([3.9, 3.9], [1, 9], ...Array.from({ length: 30 }, (): [number, number] => [4, 4]));
    for (const [i, [start, end]] of placed.entries()) {
      expect(start).toBeGreaterThanOrEqual(placed[i - 1]?.[1] ?? 1_000);
      expect(end).toBeGreaterThan(start!);
      expect(end).toBeLessThanOrEqual(64_000);
    }
  });

  test('stay inside a window that is too short for its words', () => {
    const [short] = pack([stretch(0, 100, 100)]);
    const words = Array.from({ length: 400 }, () => ({ start: 0.05, end: 0.06 }));
    const last = placeInMedium(words, short!).at(-1)!;
    expect(last.endMs).toBeLessThanOrEqual(100);
  });
});

test('speech without a pause is cut where it is quietest', () => {
  const samples = new Float32Array(20_000).fill(0.5);
  samples.fill(0.01, 9_000, 11_000);
  const at = quietestAt(samples, 512);
  expect(at % 512).toBe(0);
  expect(at).toBeGreaterThan(9_000);
  expect(at).toBeLessThan(11_000);
});

describe('languages', () => {
  const known = { en: 0, de: 1, no: 2, tl: 3, jw: 4, zh: 5 };

  test.each([
    ['en-GB', 'en'],
    ['de-AT', 'de'],
    ['nb', 'no'],
    ['fil', 'tl'],
    ['jv', 'jw'],
    ['zh-Hant', 'zh'],
    ['tlh', null],
  ])('%s is %s', (language, code) => {
    expect(whisperCode(language, known)).toBe(code);
  });

  test('are named in results as everywhere else', () => {
    expect(bcp47('de')).toBe('de');
    expect(bcp47('jw')).toBe('jv');
  });

  const logits = (en: number, de: number) => Float32Array.of(en, de, -9, -9, -9, -9);

  test('the first window is taken for what it sounds most like', () => {
    expect(chooseLanguage(logits(1, 1.1), known, null, 900)).toBe('de');
  });

  test('changes where it is clear and enough is said', () => {
    expect(chooseLanguage(logits(1, 5), known, 'en', 8_000)).toBe('de');
    expect(chooseLanguage(logits(1, 5), known, 'en', 900)).toBe('en');
    expect(chooseLanguage(logits(1, 1.5), known, 'en', 8_000)).toBe('en');
  });
});

test('Whisper hears where it can be had, as large as the tier, Vosk elsewhere', () => {
  expect(whisperModelOf({ tier: 'packaged', hasPip: true })).toBe('whisper-base');
  expect(whisperModelOf({ tier: 'packaged', hasPip: false })).toBeNull();
  expect(whisperModelOf({ tier: 'small', hasPip: false })).toBe('whisper-small');
  expect(whisperModelOf({ tier: 'large', hasPip: false })).toBe('whisper-large-v3-turbo');
});
