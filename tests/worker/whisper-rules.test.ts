import { describe, expect, test } from 'vitest';
import { isLoop, withoutLoop } from '../../gpu-worker/analyzers/speech/whisper/loops.ts';
import {
  bestOf,
  compressionRatio,
  isDoubtful,
  isSilence,
} from '../../gpu-worker/analyzers/speech/whisper/quality.ts';
import { applyRules } from '../../gpu-worker/analyzers/speech/whisper/rules.ts';
import { pickToken, seededRandom } from '../../gpu-worker/analyzers/speech/whisper/sampling.ts';
import { readSegments } from '../../gpu-worker/analyzers/speech/whisper/segments.ts';
import { specialTokens } from '../../gpu-worker/models/whisper/tokens.ts';

const VOCABULARY = 51_865;
const special = specialTokens(VOCABULARY);
const { endOfText, firstTimestamp, noTimestamps } = special;
const at = (seconds: number) => firstTimestamp + Math.round(seconds / 0.02);
const rules = { special, suppressed: [7], blank: 220 };

/** Whether each token may come after what was written, where all are equally likely but for `likely`. */
function allowed(sampled: number[], likely: Record<number, number> = {}): (token: number) => boolean {
  // A single text token must outweigh the 1501 time stamps together for the other rules to be seen.
  const logits = new Float32Array(VOCABULARY);
  logits.fill(10, 0, firstTimestamp);
  for (const [token, value] of Object.entries(likely)) logits[Number(token)] = value;
  applyRules(logits, sampled, rules);
  return (token) => logits[token] !== Number.NEGATIVE_INFINITY;
}

describe('what may come next', () => {
  test('a time stamp of at most a second at the beginning', () => {
    const may = allowed([]);
    expect([400, endOfText, 220].some(may)).toBe(false);
    expect([at(0), at(1)].every(may)).toBe(true);
    expect([at(1.02), at(30)].some(may)).toBe(false);
  });

  test('text after the first time stamp, never what is suppressed', () => {
    const may = allowed([at(0)]);
    expect(may(400)).toBe(true);
    expect(may(7)).toBe(false);
    expect(may(noTimestamps)).toBe(false);
    expect(may(at(3))).toBe(false);
  });

  test('after text, later time stamps only', () => {
    const may = allowed([at(1), 400]);
    expect(may(401)).toBe(true);
    expect(may(at(1))).toBe(false);
    expect(may(at(1.02))).toBe(true);
  });

  test('after the stamp that ends a segment, the same or a later one, or the end', () => {
    const may = allowed([at(0), 400, at(2)]);
    expect(may(400)).toBe(false);
    expect(may(endOfText)).toBe(true);
    expect(may(at(2))).toBe(true);
    expect(may(at(1.98))).toBe(false);
  });

  test('a time stamp where all of them together are likelier than any text', () => {
    const likely = Object.fromEntries(Array.from({ length: 1501 }, (_, i) => [firstTimestamp + i, 5]));
    // 1500 times e^5 is more than e^10.
    const may = allowed([at(0), 400], likely);
    expect(may(401)).toBe(false);
    expect(may(at(4))).toBe(true);
  });
});

describe('sampling', () => {
  const logits = Float32Array.of(1, 3, 2, Number.NEGATIVE_INFINITY);

  test('takes the likeliest at temperature 0', () => {
    const { token, logProbability } = pickToken(logits, 0, () => 0.99);
    expect(token).toBe(1);
    expect(Math.exp(logProbability)).toBeCloseTo(Math.E ** 3 / (Math.E + Math.E ** 2 + Math.E ** 3), 6);
  });

  test('takes others as often as they are likely, and never what is forbidden', () => {
    const random = seededRandom(1);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 10_000; i++) counts[pickToken(logits, 1, random).token]!++;
    expect(counts[0]! / 10_000).toBeCloseTo(0.09, 1);
    expect(counts[1]! / 10_000).toBeCloseTo(0.665, 1);
    expect(counts[3]).toBe(0);
    expect(pickToken(logits, 1, () => 1 - 2 ** -53).token).toBe(2);
  });

  test('does the same for the same seed, and something else for another', () => {
    const numbers = (seed: number) => Array.from({ length: 4 }, seededRandom(seed));
    expect(numbers(5)).toEqual(numbers(5));
    expect(numbers(5)).not.toEqual(numbers(6));
  });
});

describe('what can be believed', () => {
  const attempt = (text: string, meanLogProbability = -0.3, noSpeechProbability = 0.1) => ({
    ...{ text, meanLogProbability, noSpeechProbability },
  });
  const loop = attempt('go on and '.repeat(30), -0.1);

  test('not what goes round, nor what is unlikely', () => {
    expect(compressionRatio(loop.text)).toBeGreaterThan(2.4);
    expect(isDoubtful(loop)).toBe(true);
    expect(isDoubtful(attempt('He was not an ill-disposed young man.'))).toBe(false);
    expect(isDoubtful(attempt('He was not', -1.2))).toBe(true);
  });

  test('silence is not tried again', () => {
    const silence = attempt('Thank you.', -1.3, 0.9);
    expect(isSilence(silence)).toBe(true);
    expect(isDoubtful(silence)).toBe(false);
    expect(isSilence(attempt('Thank you.', -0.4, 0.9))).toBe(false);
  });

  test('of doubtful attempts a likely one that does not go round, and no nonsense', () => {
    const nonsense = attempt('putting counscks', -3);
    const varied = attempt('go on and on', -0.8);
    expect(bestOf([loop, nonsense, varied])).toBe(varied);
    expect(bestOf([loop, nonsense])).toBe(loop);
    expect(bestOf([nonsense, attempt('go', -1.5)]).text).toBe('go');
  });
});

describe('loops', () => {
  const turn = [11, 12, 13];
  const turns = (count: number) => Array.from({ length: count }, () => turn).flat();

  test('are broken off and cut to two turns', () => {
    const tokens = [at(0), 5, 6, ...turns(30)];
    expect(isLoop(tokens, endOfText)).toBe(true);
    expect(withoutLoop(tokens, endOfText)).toEqual([at(0), 5, 6, ...turns(2)]);
  });

  test('are found through time stamps', () => {
    const tokens = Array.from({ length: 40 }, (_, i) => [at(i / 2), 11, 12, at((i + 1) / 2)]).flat();
    expect(isLoop(tokens, endOfText)).toBe(true);
    expect(withoutLoop(tokens, endOfText).filter((token) => token < endOfText)).toEqual([11, 12, 11, 12]);
  });

  test('are not what somebody says ten times', () => {
    const tokens = [at(0), ...turns(10)];
    expect(isLoop(tokens, endOfText)).toBe(false);
    expect(withoutLoop(tokens, endOfText)).toEqual(tokens);
  });
});

describe('segments', () => {
  const read = (tokens: number[]) => readSegments(tokens, firstTimestamp, endOfText, 20);

  test('lie between time stamps', () => {
    expect(read([at(0), 5, 6, at(2), at(3), 7, at(4)])).toEqual({
      segments: [
        { start: 0, end: 2, tokens: [5, 6] },
        { start: expect.closeTo(3), end: expect.closeTo(4), tokens: [7] },
      ],
      goOnAt: null,
    });
  });

  test('that are not finished are heard again', () => {
    expect(read([at(0), 5, at(2), at(2.5), 7, 8])).toEqual({
      segments: [{ start: 0, end: 2, tokens: [5] }],
      goOnAt: 2,
    });
  });

  test('last to the end of the sound where there is no stamp behind them', () => {
    expect(read([at(0), 5, 6])).toEqual({ segments: [{ start: 0, end: 20, tokens: [5, 6] }], goOnAt: null });
    expect(read([])).toEqual({ segments: [], goOnAt: null });
  });

  test('never last longer than the sound', () => {
    expect(read([at(0), 5, at(29)]).segments[0]!.end).toBe(20);
  });
});
