/**
 * Whether what was written can be believed. Whisper has two ways to fail: it repeats itself, or
 * it makes words up. Repetition compresses well, and made up words have low probabilities; either
 * is tried again at a higher temperature. The limits are openai-whisper's defaults:
 * https://github.com/openai/whisper/blob/main/whisper/transcribe.py
 */
import { deflateSync } from 'node:zlib';

export const TEMPERATURES = [0, 0.2, 0.4, 0.6, 0.8, 1];

const MOST_COMPRESSION = 2.4;
const LEAST_LOG_PROBABILITY = -1;
const NO_SPEECH = 0.6;

export interface Attempt {
  text: string;
  /** Mean over the tokens, the end included. */
  meanLogProbability: number;
  /** Of the whole window, before anything was written. */
  noSpeechProbability: number;
}

/** How many times longer the text is than when it is compressed; for "yes" about 0.3, for loops above 2.4. */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text);
  return bytes.length / deflateSync(bytes).length;
}

/** Nobody speaks there, whatever was written. */
export function isSilence({ noSpeechProbability, meanLogProbability }: Attempt): boolean {
  return noSpeechProbability > NO_SPEECH && meanLogProbability <= LEAST_LOG_PROBABILITY;
}

/** Whether it is worth trying again at a higher temperature. */
export function isDoubtful(attempt: Attempt): boolean {
  if (isSilence(attempt)) return false;
  return isRepetitive(attempt) || attempt.meanLogProbability < LEAST_LOG_PROBABILITY;
}

/**
 * The best of attempts that are all doubtful: the likeliest, even if it repeats itself. Who says the
 * same sentence twice in 30 s is written down with a ratio of 2.48; at the temperature 1, the last
 * that is tried, anything is written.
 */
export function bestOf<A extends Attempt>(attempts: readonly A[]): A {
  const likely = attempts.filter(({ meanLogProbability }) => meanLogProbability >= LEAST_LOG_PROBABILITY);
  const candidates = likely.filter((attempt) => !isRepetitive(attempt));
  return [candidates, likely, attempts]
    .find((some) => some.length > 0)!
    .reduce((best, next) => (next.meanLogProbability > best.meanLogProbability ? next : best));
}

function isRepetitive({ text }: Attempt): boolean {
  return compressionRatio(text) > MOST_COMPRESSION;
}
