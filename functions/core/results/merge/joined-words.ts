/** The text of an utterance of which only some words are left. */

/** Languages that are written without spaces, as BCP 47 codes. */
const unspaced = new Set(['zh', 'yue', 'ja', 'th', 'lo', 'my', 'km']);

/** @param language of the utterance, BCP 47. */
export function joinWords(words: readonly { text: string }[], language: string): string {
  const isUnspaced = unspaced.has(language.split('-')[0]!);
  return words.map((word) => word.text).join(isUnspaced ? '' : ' ');
}

/** A word without its case and the punctuation around it, which recognisers hear differently. */
export function bareWord(text: string): string {
  const lower = text.toLowerCase();
  return lower.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '') || lower;
}
