/** Where in a text the words of a query stand, and the stretch of it that is shown. Pure. */
import type { Term } from './query.ts';
import { type Token, tokensOf } from './tokens.ts';

/** [from, to) in UTF-16 code units, as JavaScript counts. */
export interface Mark {
  from: number;
  to: number;
}

export interface Snippet {
  text: string;
  marks: Mark[];
}

const snippetCharacters = 200;
/** Of those, at most so many before the first mark. */
const leadCharacters = 60;

/** Indices of the tokens that a query asks for, in their order. */
export function matches(tokens: readonly Token[], terms: readonly Term[]): number[] {
  const found = new Set<number>();
  for (const term of terms) {
    if (term.isExcluded) continue;
    for (let start = 0; start + term.words.length <= tokens.length; start++) {
      if (term.words.every((_, index) => fits(tokens[start + index]!.word, term, index)))
        for (let index = 0; index < term.words.length; index++) found.add(start + index);
    }
  }
  return [...found].sort((a, b) => a - b);
}

function fits(word: string, { words, isPrefix }: Term, index: number): boolean {
  const mayGoOn = isPrefix && index === words.length - 1;
  return words[index]!.some((spelling) => (mayGoOn ? word.startsWith(spelling) : word === spelling));
}

/** The whole text where it is short, or what is around the first match, with … where it was cut. */
export function snippetOf(text: string, terms: readonly Term[]): Snippet {
  const tokens = tokensOf(text);
  const marks = matches(tokens, terms).map((index) => tokens[index]!);
  if (text.length <= snippetCharacters) return { text, marks: marks.map(({ from, to }) => ({ from, to })) };
  const lead = Math.max(0, (marks[0]?.from ?? 0) - leadCharacters);
  const start = lead === 0 ? 0 : (tokens.find(({ from }) => from >= lead)?.from ?? 0);
  const fitting = tokens.filter(({ from, to }) => from >= start && to <= start + snippetCharacters);
  // A text of one enormous word has no place to be cut at; half a character is none.
  const end = fitting.at(-1)?.to ?? start + snippetCharacters;
  const isAtEnd = tokens.every(({ to }) => to <= end);
  const before = start > 0 ? '…' : '';
  const shift = before.length - start;
  return {
    text: `${before}${text.slice(start, isAtEnd ? start + snippetCharacters : end).toWellFormed()}${isAtEnd ? '' : '…'}`,
    marks: marks
      .filter(({ from, to }) => from >= start && to <= end)
      .map(({ from, to }) => ({ from: from + shift, to: to + shift })),
  };
}

interface Timed {
  text: string;
  startMs: number;
  endMs: number;
}

/**
 * When the first word of a query is said. The recogniser's words tell; where it gave none, the time
 * of the utterance is shared out by characters.
 */
export function firstMatchMs(segment: Timed & { words: Timed[] }, terms: readonly Term[]): number {
  const spoken = segment.words.flatMap((word) =>
    tokensOf(word.text).map((token) => ({ ...token, startMs: word.startMs })),
  );
  const [said] = matches(spoken, terms);
  if (said !== undefined) return spoken[said]!.startMs;
  const tokens = tokensOf(segment.text);
  const [written] = matches(tokens, terms);
  if (written === undefined) return segment.startMs;
  const share = tokens[written]!.from / segment.text.length;
  return Math.round(segment.startMs + (segment.endMs - segment.startMs) * share);
}
