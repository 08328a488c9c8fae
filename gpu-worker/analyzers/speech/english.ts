/**
 * Does it sound like English? The model knows no other language and makes English words of
 * all it hears. What gives other languages away is how sure it is of them.
 */

/** So many words are needed before a language may be turned down. */
export const EVIDENCE_WORDS = 40;
const SURE = 0.999;
const LEAST_SURE_SHARE = 0.4;

/**
 * Whether the words, of whatever number, are clearly not English. Never says so of fewer than
 * `EVIDENCE_WORDS`.
 */
export function isClearlyNotEnglish(confidences: readonly number[]): boolean {
  if (confidences.length < EVIDENCE_WORDS) return false;
  const sure = confidences.filter((confidence) => confidence >= SURE).length;
  return sure < confidences.length * LEAST_SURE_SHARE;
}
