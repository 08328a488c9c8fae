/** Error rates of texts, made of edit distances. */
import { editDistance } from '../../functions/core/results/edit-distance.ts';

/** Errors and what they are counted over: those of several media are added before they are divided. */
export interface Errors {
  errors: number;
  total: number;
}

/** @returns 0 and more: a rate, above 1 where more was made up than there was. */
export function errorRate(counts: readonly Errors[]): number {
  const total = counts.reduce((sum, count) => sum + count.total, 0);
  return total === 0 ? Number.NaN : counts.reduce((sum, count) => sum + count.errors, 0) / total;
}

/** @returns errors over the words said, compared as `wordsOf` gives them. */
export function wordErrors(said: string, heard: string): Errors {
  const words = wordsOf(said);
  return { errors: editDistance(words, wordsOf(heard)), total: words.length };
}

/**
 * Words as they are commonly compared: in lower case, without punctuation, hyphens taken for
 * spaces, apostrophes kept inside words, and "Mr" and "Mrs" as they are spoken. Numbers stay as they
 * are written: "2" is not "two".
 */
export function wordsOf(text: string): string[] {
  return text
    .normalize('NFC')
    .toLowerCase()
    .replace(/[’`]/g, "'")
    .replace(/[^\p{L}\p{M}\p{N}']+/gu, ' ')
    .split(' ')
    .map((word) => word.replace(/^'+|'+$/g, ''))
    .filter(Boolean)
    .map((word) => spokenTitles.get(word) ?? word);
}

const spokenTitles = new Map([
  ['mr', 'mister'],
  ['mrs', 'missus'],
]);

/** @returns errors over the characters shown; case and punctuation count, runs of white space are one space. */
export function characterErrors(shown: string, read: string): Errors {
  const characters = charactersOf(shown);
  return { errors: editDistance(characters, charactersOf(read)), total: characters.length };
}

const charactersOf = (text: string) => [...text.normalize('NFC').trim().replace(/\s+/gu, ' ')];
