/**
 * Tokens joined to words. A word begins at a space or at punctuation; where a language writes
 * no spaces, at every letter. A letter whose bytes are spread over tokens stays whole.
 *
 * As in https://github.com/openai/whisper/blob/main/whisper/tokenizer.py and timing.py
 */
import { REPLACEMENT, type Vocabulary } from './vocabulary.ts';

/** With its space before it, as the tokens have it. */
export interface WordPiece {
  text: string;
  tokens: number[];
}

const UNSPACED = new Set(['zh', 'ja', 'th', 'lo', 'my', 'yue']);

const PUNCTUATION = /^\s*[!-/:-@[-`{-~]+\s*$/u;
/** Belongs to the word behind it. */
const OPENING = /^ ["'“„«¿¡([{#@+\p{Sc}-]+$/u;

/** @param language Whisper's code. */
export function wordPieces(tokens: readonly number[], vocabulary: Vocabulary, language: string): WordPiece[] {
  const letters = wholeLetters(tokens, vocabulary);
  return UNSPACED.has(language) ? letters : joinAtSpaces(letters);
}

/** Whether words of the language stand apart in writing. */
const hasSpaces = (language: string) => !UNSPACED.has(language);

function wholeLetters(tokens: readonly number[], vocabulary: Vocabulary): WordPiece[] {
  const text = vocabulary.decode(tokens);
  const pieces: WordPiece[] = [];
  let current: number[] = [];
  let readTo = 0;
  for (const [i, token] of tokens.entries()) {
    current.push(token);
    const decoded = vocabulary.decode(current);
    const brokenAt = decoded.indexOf(REPLACEMENT);
    // Bytes that never become a letter are broken in the whole text too.
    const isWhole = brokenAt < 0 || text[readTo + brokenAt] === REPLACEMENT;
    if (!isWhole && i < tokens.length - 1) continue;
    pieces.push({ text: decoded, tokens: current });
    readTo += decoded.length;
    current = [];
  }
  return pieces;
}

function joinAtSpaces(letters: readonly WordPiece[]): WordPiece[] {
  const words: WordPiece[] = [];
  for (const { text, tokens } of letters) {
    const last = words.at(-1);
    if (last && !text.startsWith(' ') && !PUNCTUATION.test(text)) {
      last.text += text;
      last.tokens.push(...tokens);
    } else words.push({ text, tokens: [...tokens] });
  }
  return words;
}

/**
 * Joins punctuation to the word it belongs to, and what a hyphen or an apostrophe stands between:
 * every word has a letter or a digit in it, where there is one at all.
 * @returns groups of neighbouring pieces, each of which is one word.
 */
export function groupWords<P extends Pick<WordPiece, 'text'>>(pieces: readonly P[], language: string): P[][] {
  const goesOn = ({ text }: P) => !isSpoken(text) || (hasSpaces(language) && !text.startsWith(' '));
  const groups: P[][] = [];
  let isOpen = true;
  for (const piece of pieces) {
    const group = groups.at(-1);
    const opens = OPENING.test(piece.text);
    if (group && (isOpen || (goesOn(piece) && !opens))) group.push(piece);
    else groups.push([piece]);
    isOpen = opens || !groups.at(-1)!.some(({ text }) => isSpoken(text));
  }
  return groups;
}

/** Whether there is anything to say in it. */
export const isSpoken = (text: string) => /[\p{L}\p{N}]/u.test(text);
