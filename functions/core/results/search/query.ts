/**
 * What a person typed into the search, read with tolerance: any text is a query. Words all have to be
 * there; `"in quotes"` they follow each other; `-word` must not be there. The last word may be the
 * beginning of one, as while it is being typed. Pure.
 */
import { fold, tokensOf } from './tokens.ts';

/** Words that follow each other, each in all the ways in which it may be spelt. */
export interface Term {
  words: string[][];
  isExcluded: boolean;
  /** Its last word may go on. */
  isPrefix: boolean;
}

const mostTerms = 20;

export function readQuery(text: string): Term[] {
  const chunks = [
    ...text
      .toWellFormed()
      .normalize('NFC')
      .matchAll(/(-?)(?:"([^"]*)(?:"|$)|([^\s"]+))/g),
  ];
  const terms = chunks.flatMap(([, minus, quoted, plain]): Term[] => {
    const words = wordsOf(quoted ?? plain!);
    return words.length === 0 ? [] : [{ words, isExcluded: minus !== '', isPrefix: false }];
  });
  const kept = terms.slice(0, mostTerms);
  const last = kept.at(-1);
  const isTyped = chunks.at(-1)?.[3] !== undefined && terms.length <= mostTerms;
  if (last && isTyped && !last.isExcluded) last.isPrefix = true;
  return kept;
}

/** The condition for `to_tsquery('simple', …)`; null where nothing is asked for. It has no character that could break it. */
export function toTsQuery(terms: readonly Term[]): string | null {
  if (!terms.some((term) => !term.isExcluded)) return null;
  return terms
    .map(({ words, isExcluded, isPrefix }) => {
      const phrase = words
        .map((spellings, index) => {
          const suffix = isPrefix && index === words.length - 1 ? ':*' : '';
          return `(${spellings.map((word) => `'${word}'${suffix}`).join(' | ')})`;
        })
        .join(' <-> ');
      return `${isExcluded ? '!' : ''}(${phrase})`;
    })
    .join(' & ');
}

/**
 * German umlauts are written in two ways, and whoever lacks the keys uses either: `Grüße`, `Gruesse`
 * and `Grusse` find each other.
 */
function wordsOf(text: string): string[][] {
  return tokensOf(text).flatMap(({ word, from, to }) => {
    const written = text.slice(from, to).toLowerCase();
    const long = fold(written.replace(/[äöü]/g, (umlaut) => `${umlaut}e`));
    const short = word.replace(/([aou])e/g, '$1');
    // A word may decompose into what Postgres's syntax would read as more than a word: ¼ is 1⁄4.
    const spellings = [...new Set([word, long, short])].map((one) => one.replace(/['\\]/g, ' ').trim());
    const known = spellings.filter((one) => one !== '');
    return known.length > 0 ? [known] : [];
  });
}
