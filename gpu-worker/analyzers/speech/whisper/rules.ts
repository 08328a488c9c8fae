/**
 * Which tokens may come next. Whisper writes its text between pairs of time stamps, and what it
 * was not trained to write must be kept from it.
 *
 * These are openai-whisper's rules for decoding with time stamps (`ApplyTimestampRules`,
 * `SuppressBlank`, `SuppressTokens`):
 * https://github.com/openai/whisper/blob/main/whisper/decoding.py
 */
import type { SpecialTokens } from '../../../models/whisper/tokens.ts';

/** The first time stamp is at most 1 s, in steps of 0.02 s. */
const LATEST_FIRST_TIMESTAMP = 50;

export interface Rules {
  special: SpecialTokens;
  /** Never written, see non-speech.ts. */
  suppressed: readonly number[];
  /** The token of a single space. */
  blank: number;
}

/**
 * Sets the logits of all tokens that may not come next to -Infinity.
 * @param logits of the whole vocabulary. @param sampled what was written so far, without the prompt.
 */
export function applyRules(logits: Float32Array, sampled: readonly number[], rules: Rules): void {
  const { special, suppressed, blank } = rules;
  const { endOfText, firstTimestamp } = special;
  const forbid = (from: number, to: number) => logits.fill(Number.NEGATIVE_INFINITY, from, to);
  for (const token of suppressed) forbid(token, token + 1);
  forbid(special.noTimestamps, special.noTimestamps + 1);

  if (sampled.length === 0) {
    forbid(blank, blank + 1);
    forbid(0, firstTimestamp);
    forbid(firstTimestamp + LATEST_FIRST_TIMESTAMP + 1, logits.length);
    return;
  }
  const isTimestamp = (token: number | undefined) => token === undefined || token >= firstTimestamp;
  const isAfterTimestamp = isTimestamp(sampled.at(-1));
  const isAfterPair = isAfterTimestamp && isTimestamp(sampled.at(-2));
  // Time stamps come in pairs, but for the very first and one before the end.
  if (isAfterPair) forbid(firstTimestamp, logits.length);
  else if (isAfterTimestamp) forbid(0, endOfText);
  // They never go back, and no segment has no length: that would be the beginning of an endless loop.
  const last = sampled.findLast(isTimestamp);
  if (last !== undefined) forbid(firstTimestamp, isAfterTimestamp && !isAfterPair ? last : last + 1);
  if (isTimestampLikelier(logits, firstTimestamp)) forbid(0, firstTimestamp);
}

/** Whether all time stamps together are likelier than the likeliest other token. */
function isTimestampLikelier(logits: Float32Array, firstTimestamp: number): boolean {
  let highestText = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < firstTimestamp; i++) if (logits[i]! > highestText) highestText = logits[i]!;
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = firstTimestamp; i < logits.length; i++) if (logits[i]! > highest) highest = logits[i]!;
  if (highest === Number.NEGATIVE_INFINITY) return false;
  let sum = 0;
  for (let i = firstTimestamp; i < logits.length; i++) sum += Math.exp(logits[i]! - highest);
  return highest + Math.log(sum) > highestText;
}
