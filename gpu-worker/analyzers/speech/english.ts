/**
 * Does it sound like English? The model knows no other language and makes English words of
 * all it hears. What gives other languages away is how many of them it is sure of.
 *
 * Measured on 10 minutes each of recorded telephone prompts in five languages (Asterisk's core
 * sounds) and on speech synthesised with espeak-ng, in windows of 80 words. Share of words with a
 * confidence of at least 0.999, and windows that are refused:
 *
 *                          median   refused
 *     English, recorded      0.59      0.7 %
 *     English, synthetic     0.63      0   %
 *     Spanish, recorded      0.30     76   %
 *     French, recorded       0.26     87   %
 *     Italian, recorded      0.30     68   %
 *     Russian, recorded      0.25     87   %
 *     German, synthetic      0.25    100   %
 *
 * Other English had 0.86 (a speech of 1961) and 0.83 (an audiobook). With fewer words the shares
 * overlap more: below 40 nothing is refused, and with 40 to 80, where the medium ends,
 * one in 300 windows of English and about a third of the others are. The words' own
 * confidences are in the result for whoever wants to see.
 */

/** Words to wait for before deciding, where the medium has so many. */
export const EVIDENCE_WORDS = 80;
const SURE = 0.999;
const LEAST_SURE_SHARE = 0.36;

const FEW_WORDS = 40;
const LEAST_SURE_SHARE_OF_FEW = 0.25;

/** Whether words with these confidences, all that were heard so far, are clearly not English. */
export function isClearlyNotEnglish(confidences: readonly number[]): boolean {
  const count = confidences.length;
  if (count < FEW_WORDS) return false;
  const sureShare = confidences.filter((confidence) => confidence >= SURE).length / count;
  return sureShare < (count < EVIDENCE_WORDS ? LEAST_SURE_SHARE_OF_FEW : LEAST_SURE_SHARE);
}
