import { describe, expect, test } from 'vitest';
import { withoutPauses } from '../../gpu-worker/analyzers/speech/whisper/pauses.ts';
import { fitOf, medianFilter, warp } from '../../gpu-worker/analyzers/speech/whisper/time-warping.ts';
import { Vocabulary } from '../../gpu-worker/analyzers/speech/whisper/vocabulary.ts';
import { groupWords, wordPieces } from '../../gpu-worker/analyzers/speech/whisper/word-pieces.ts';
import { timeWords } from '../../gpu-worker/analyzers/speech/whisper/word-times.ts';

/** Tokens of these bytes, in this order. */
const vocabularyOf = (...tokens: (string | Uint8Array)[]) =>
  new Vocabulary(tokens.map((token) => Buffer.from(token)));

/** All tokens of a vocabulary of so many. */
const all = (count: number) => Array.from({ length: count }, (_, i) => i);

function wordsOf(language: string, ...tokens: (string | Uint8Array)[]): string[] {
  const pieces = wordPieces(all(tokens.length), vocabularyOf(...tokens), language);
  return groupWords(pieces, language).map((group) =>
    group
      .map(({ text }) => text)
      .join('')
      .trim(),
  );
}

describe('words of tokens', () => {
  test('begin at spaces and keep their punctuation', () => {
    expect(wordsOf('en', ' Mr', '.', ' Dash', 'wood', ',', ' "', 'no', '!"', ' he', ' said', '...')).toEqual([
      'Mr.',
      'Dashwood,',
      '"no!"',
      'he',
      'said...',
    ]);
  });

  test('are whole around hyphens, apostrophes and signs', () => {
    expect(
      wordsOf('en', ' ill', '-', 'dis', 'posed', ' don', "'t", ' $', '5', ' 50', '%', ' -', ' yes'),
    ).toEqual(['ill-disposed', "don't", '$5', '50%', '- yes']);
    expect(wordsOf('fr', ' Quoi', ' ?', ' «', ' Oui', ' »')).toEqual(['Quoi ?', '« Oui »']);
  });

  test('keep letters whose bytes are in several tokens', () => {
    const [first, second] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)];
    const pieces = wordPieces(all(4), vocabularyOf(' M', first, second, 'nchen'), 'de');
    expect(pieces).toEqual([{ text: ' München', tokens: [0, 1, 2, 3] }]);
  });

  test('bytes that are no letter are shown as such and lose nothing', () => {
    const tokens = [' a', Buffer.of(0xff), ' b'];
    expect(wordsOf('en', ...tokens)).toEqual(['a\ufffd', 'b']);
    const cut = wordPieces(all(2), vocabularyOf(' a', Buffer.from('ü').subarray(0, 1)), 'de');
    expect(cut.flatMap((piece) => piece.tokens)).toEqual([0, 1]);
  });

  test('are single letters where no spaces are written', () => {
    expect(wordsOf('zh', '你', '好', '，', '世', '界', '。')).toEqual(['你', '好，', '世', '界。']);
  });

  test('encoding joins bytes in the order of the tokens', () => {
    const vocabulary = vocabularyOf('(', '"', ' ', ' (', '("');
    expect(vocabulary.encode(' ("')).toEqual([3, 1]);
    expect(vocabulary.decode([3, 1, 99])).toBe(' ("');
  });
});

describe('alignment', () => {
  /** Rows that fit best on their stretch of frames. */
  const rowsOn = (frames: number, ...stretches: [from: number, to: number][]) =>
    stretches.map(([from, to]) =>
      Float64Array.from({ length: frames }, (_, i) => (i >= from && i < to ? 1 : -1)),
    );

  test('finds where each row begins', () => {
    expect(warp(rowsOn(10, [0, 3], [3, 4], [4, 10]))).toEqual([0, 3, 4]);
  });

  test('never goes back, though a row fits an earlier place', () => {
    const begins = warp(rowsOn(8, [4, 8], [0, 2], [6, 8]));
    expect(begins).toEqual(begins.toSorted((a, b) => a - b));
    expect(begins[0]).toBe(0);
  });

  test('holds with more rows than frames', () => {
    const begins = warp(rowsOn(2, [0, 1], [0, 1], [1, 2], [1, 2]));
    expect(begins).toHaveLength(4);
    expect(Math.max(...begins)).toBeLessThan(2);
  });

  test('a single frame that stands out is smoothed away', () => {
    const row = Float64Array.of(0, 0, 0, 9, 0, 0, 0, 1, 1, 1, 1, 1, 1);
    expect([...medianFilter(row)]).toEqual([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]);
    expect([...medianFilter(Float64Array.of(3, 1))]).toEqual([3, 1]);
  });

  test('every head counts alike, and silence behind the sound does not count', () => {
    const data = Float32Array.of(
      ...[0.8, 0, 0, 0.2],
      ...[0, 0.1, 0, 0.9],
      // The second head looks at the same places, a hundred times less.
      ...[0.008, 0, 0, 0.992],
      ...[0, 0.001, 0, 0.999],
    );
    const [first, second] = fitOf({ data, heads: 2, tokens: 2, frames: 4 }, 3);
    expect([...first!]).toEqual([expect.closeTo(1), expect.closeTo(-1), 0]);
    expect([...second!]).toEqual([expect.closeTo(-1), expect.closeTo(1), 0]);
  });
});

test('words get the times at which their tokens were looked at, and the mean of their probabilities', () => {
  const vocabulary = vocabularyOf(' Hel', 'lo', ',', ' you');
  const frames = 60;
  // The prompt's last token looks at the place of the first one of the text, and so on to the end.
  const looks = [0, 0, 0, 10, 20, 24, 40, 55].map((from, i, list) => [from, list[i + 1] ?? frames] as const);
  const data = new Float32Array(looks.length * frames);
  for (const [token, [from, to]] of looks.slice(1).entries())
    data.fill(1 / 20, token * frames + from, token * frames + to);
  const words = timeWords(
    all(4),
    {
      attention: { data: data.subarray(0, 7 * frames), heads: 1, tokens: 7, frames },
      probabilities: [0.9, 0.7, 0.1, 0.5],
      sound: new Float32Array(19_200),
    },
    vocabulary,
    'en',
  );
  expect(words.map(({ text }) => text)).toEqual(['Hello,', 'you']);
  expect(words[0]!.probability).toBeCloseTo(0.8);
  expect(words[1]!.probability).toBeCloseTo(0.5);
  for (const [i, word] of words.entries()) {
    expect(word.end).toBeGreaterThan(word.start);
    expect(word.start).toBeGreaterThanOrEqual(words[i - 1]?.end ?? 0);
  }
});

describe('a word to which a pause was given', () => {
  /** A tone where something is heard, in seconds. */
  const heard = (...stretches: [number, number][]) =>
    Float32Array.from({ length: 32_000 }, (_, i) =>
      stretches.some(([from, to]) => i >= from * 16_000 && i < to * 16_000) ? Math.sin(i / 5) : 0.01,
    );
  test.each<[string, [number, number][], [number, number]]>([
    ['begins where it is heard', [[1.2, 1.6]], [1.2, 1.6]],
    [
      'not with the end of the word before',
      [
        [0.4, 0.56],
        [1.2, 1.6],
      ],
      [1.2, 1.6],
    ],
    [
      'keeps the closure of its own p and t',
      [
        [0.6, 0.9],
        [1.02, 1.4],
      ],
      [0.6, 1.4],
    ],
    ['stays as it is where all of it is as loud', [[0, 2]], [0.5, 1.8]],
  ])('%s', (_, stretches, [start, end]) => {
    const word = withoutPauses({ start: 0.5, end: 1.8 }, heard(...stretches));
    expect(word.start).toBeCloseTo(start, 1);
    expect(word.end).toBeCloseTo(end, 1);
  });
});
