import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { editDistance } from '../../functions/core/results/edit-distance.ts';
import { averagePrecision, meanAveragePrecision } from '../../scripts/quality/average-precision.ts';
import { characterErrors, errorRate, wordErrors, wordsOf } from '../../scripts/quality/edits.ts';
import { f1, matchMoments, pairwise } from '../../scripts/quality/matches.ts';
import { diarizationErrorRate } from '../../scripts/quality/speaking.ts';

describe('word errors', () => {
  test('case, punctuation, hyphens and kinds of apostrophes do not count', () => {
    expect(wordsOf("“Don’t panic,” said Mr. Ill-Disposed — at 7 o'clock!")).toEqual([
      "don't",
      'panic',
      'said',
      'mister',
      'ill',
      'disposed',
      'at',
      '7',
      "o'clock",
    ]);
    expect(wordsOf("'quoted' words'")).toEqual(['quoted', 'words']);
    // An umlaut of one or of two code points is the same.
    expect(wordsOf('Grüße')).toEqual(wordsOf('Gru\u0308ße'));
  });

  test.each([
    ['nothing wrong', 'ask not what', 'Ask not, what?', 0],
    ['one of each', 'a b c d', 'a x c', 2],
    ['words made up', 'a b', 'a b c d e', 3],
    ['nothing heard', 'a b c', '', 3],
  ])('%s', (_, said, heard, errors) => {
    expect(wordErrors(said, heard)).toEqual({ errors, total: said.split(' ').length });
  });

  test('of several recordings are weighed by their words', () => {
    const counts = [
      { errors: 1, total: 1 },
      { errors: 0, total: 9 },
    ];
    expect(errorRate(counts)).toBeCloseTo(0.1);
    expect(errorRate([])).toBeNaN();
  });

  test('the distance is one: it never exceeds the longer, is 0 only for equals, and is the same both ways', () => {
    const row = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 12 });
    fc.assert(
      fc.property(row, row, row, (a, b, c) => {
        const distance = editDistance(a, b);
        expect(distance).toBe(editDistance(b, a));
        expect(distance === 0).toBe(a.join() === b.join());
        expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
        expect(distance).toBeLessThanOrEqual(editDistance(a, c) + editDistance(c, b));
      }),
    );
  });
});

test('characters count with case and punctuation, white space only once', () => {
  expect(characterErrors('Öl, 3,50 €', 'Öl,\n3,50  €')).toEqual({ errors: 0, total: 10 });
  expect(characterErrors('Öl', 'Ol')).toEqual({ errors: 1, total: 2 });
  expect(characterErrors('AB', 'ab').errors).toBe(2);
});

describe('moments', () => {
  test('each is matched once, the nearest first', () => {
    expect(matchMoments([1_000, 1_100, 5_000], [1_050, 1_090, 9_000], 200)).toEqual({
      ...{ right: 2, found: 3, there: 3 },
    });
    expect(matchMoments([0], [300], 200).right).toBe(0);
  });

  test('F1 is the harmonic mean of precision and recall', () => {
    expect(f1({ right: 2, found: 4, there: 2 })).toBeCloseTo((2 * 0.5 * 1) / 1.5);
    expect(f1({ right: 0, found: 0, there: 0 })).toBe(1);
    expect(f1({ right: 0, found: 3, there: 0 })).toBe(0);
  });
});

test('groups are compared by pairs; who is in none is alone', () => {
  const things = [
    { group: 'p1', identity: 'Ann' },
    { group: 'p1', identity: 'Ann' },
    { group: 'p1', identity: 'Bea' },
    { group: null, identity: 'Bea' },
    { group: null, identity: 'Cleo' },
  ];
  expect(pairwise(things)).toEqual({ right: 1, found: 3, there: 2 });
});

describe('average precision', () => {
  const box = (x: number) => ({ x, y: 0, w: 0.1, h: 0.1 });
  const there = [0, 0.2, 0.4, 0.6].map((x) => ({ picture: 'p', label: 'cat', box: box(x) }));
  const found = (x: number, confidence: number, picture = 'p') => ({
    ...{ picture, label: 'cat', box: box(x), confidence },
  });

  test('is 1 for everything found and nothing else, 0 for nothing', () => {
    const all = [0, 0.2, 0.4, 0.6].map((x) => found(x, 0.5));
    expect(averagePrecision(all, there)).toBe(1);
    expect(averagePrecision([], there)).toBe(0);
  });

  test('falls with wrong findings only as far as these are surer than right ones', () => {
    const right = [found(0, 0.9), found(0.2, 0.8)];
    expect(averagePrecision([...right, found(0.8, 0.1)], there)).toBeCloseTo(0.5);
    // Right, wrong, right: .25 · 1 + .25 · 2/3.
    expect(averagePrecision([found(0, 0.9), found(0.8, 0.85), found(0.2, 0.8)], there)).toBeCloseTo(5 / 12);
  });

  test('counts a thing found twice, elsewhere or in another picture as wrong', () => {
    expect(averagePrecision([found(0, 0.9), found(0.01, 0.8)], there)).toBeCloseTo(0.25);
    expect(averagePrecision([found(0.06, 0.9)], there)).toBe(0);
    expect(averagePrecision([found(0, 0.9, 'q')], there)).toBe(0);
  });

  test('the mean is over what is there, not over what is found', () => {
    const more = [...there, { picture: 'p', label: 'dog', box: box(0.9) }];
    const birds = { ...found(0.9, 0.9), label: 'bird' };
    const all = [0, 0.2, 0.4, 0.6].map((x) => found(x, 0.5));
    expect(meanAveragePrecision([...all, birds], more)).toBe(0.5);
  });
});

describe('the diarization error rate', () => {
  const turns = [
    { speaker: 'Ann', startMs: 0, endMs: 2_000 },
    { speaker: 'Bea', startMs: 3_000, endMs: 5_000 },
  ];
  const renamed = (first: string, second: string) => [
    { ...turns[0]!, speaker: first },
    { ...turns[1]!, speaker: second },
  ];

  test('is 0 whatever the speakers are called, and a quarter of a second does not matter', () => {
    expect(diarizationErrorRate(renamed('s2', 's1'), turns)).toBe(0);
    const late = renamed('s1', 's2').map((turn) => ({ ...turn, startMs: turn.startMs + 200 }));
    expect(diarizationErrorRate(late, turns)).toBe(0);
  });

  test('two people taken for one: half of the time is wrong', () => {
    expect(diarizationErrorRate(renamed('s1', 's1'), turns)).toBeCloseTo(0.5);
  });

  test('counts what was missed and what was made up', () => {
    expect(diarizationErrorRate([], turns)).toBe(1);
    const talkative = [...renamed('s1', 's2'), { speaker: 's1', startMs: 6_000, endMs: 7_500 }];
    // Each turn counts 1.5 s, the rest lies near its ends.
    expect(diarizationErrorRate(talkative, turns)).toBeCloseTo(0.5);
  });
});
