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

const SURE = 0.999;
/** Words after which it is decided for good. */
const ENOUGH_WORDS = 80;
const LEAST_SURE_SHARE = 0.36;
/** Words after which it may be decided where it is clearer: English at once, other languages at the end. */
const FEW_WORDS = 40;
const SURELY_ENGLISH_SHARE = 0.5;
const SURELY_OTHER_SHARE = 0.25;

/** `undecided`: more words are needed. */
export type Language = 'undecided' | 'english' | 'other';

/**
 * What language words with these confidences are in, all that were heard so far. Where no
 * more will come (`isAll`), what is not clearly another language counts as English.
 */
export function judgeLanguage(confidences: readonly number[], isAll: boolean): Language {
  const count = confidences.length;
  const sureShare = confidences.filter((confidence) => confidence >= SURE).length / Math.max(count, 1);
  if (count >= ENOUGH_WORDS) return sureShare < LEAST_SURE_SHARE ? 'other' : 'english';
  if (!isAll) return count >= FEW_WORDS && sureShare >= SURELY_ENGLISH_SHARE ? 'english' : 'undecided';
  return count >= FEW_WORDS && sureShare < SURELY_OTHER_SHARE ? 'other' : 'english';
}
