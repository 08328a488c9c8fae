/**
 * The words of a window with their times, from what the decoder looked at while it was told the
 * whole text once more (time-warping.ts).
 */
import { withoutPauses } from './pauses.ts';
import { type Attention, fitOf, warp } from './time-warping.ts';
import type { Vocabulary } from './vocabulary.ts';
import { groupWords, isSpoken, wordPieces } from './word-pieces.ts';

const SECONDS_PER_FRAME = 0.02;
const SAMPLES_PER_FRAME = 320;

export interface TimedWord {
  /** Without spaces around it. */
  text: string;
  tokens: number[];
  /** Seconds from the start of the window. */
  start: number;
  end: number;
  /** Mean of its tokens. */
  probability: number;
}

export interface Alignment {
  /** Of the prompt, which ends with the token that says that no time stamps follow, the text and the end. */
  attention: Attention;
  /** Probability of each token of the text. */
  probabilities: readonly number[];
  /** The sound that was heard, 16 kHz. */
  sound: Float32Array;
}

/** Nobody says a word longer than that many times the median one; the rest is a pause. */
const LONGEST_WORD = 2;
const LONGEST_MEDIAN = 0.7;

const SENTENCE_END = /^\s*[.。!！?？]\s*$/u;

/** @param tokens of text, at least one. @param language Whisper's code. */
export function timeWords(
  tokens: readonly number[],
  { attention, probabilities, sound }: Alignment,
  vocabulary: Vocabulary,
  language: string,
): TimedWord[] {
  const frames = Math.max(1, Math.min(attention.frames, Math.floor(sound.length / SAMPLES_PER_FRAME)));
  // A row looks at what comes next: that of the prompt's last token at the first of the text.
  const begins = warp(fitOf(attention, frames).slice(-2 - tokens.length, -1));
  let read = 0;
  const pieces = wordPieces(tokens, vocabulary, language).map((piece): TimedWord => {
    const from = read;
    read += piece.tokens.length;
    const sum = probabilities.slice(from, read).reduce((total, value) => total + value, 0);
    return {
      ...piece,
      start: begins[from]! * SECONDS_PER_FRAME,
      end: begins[read]! * SECONDS_PER_FRAME,
      probability: sum / piece.tokens.length,
    };
  });
  shortenAtSentences(pieces);
  const longest = longestWord(pieces);
  return groupWords(pieces, language)
    .map(joined)
    .map((word) => (word.end - word.start > longest ? { ...word, ...withoutPauses(word, sound) } : word));
}

/** What a pause between sentences added to the words beside it is taken from them. */
function shortenAtSentences(pieces: TimedWord[]): void {
  const longest = longestWord(pieces);
  for (const [i, piece] of pieces.entries()) {
    if (i === 0 || piece.end - piece.start <= longest) continue;
    if (SENTENCE_END.test(piece.text)) piece.end = piece.start + longest;
    else if (SENTENCE_END.test(pieces[i - 1]!.text)) piece.start = piece.end - longest;
  }
}

/** In seconds. */
function longestWord(words: readonly Pick<TimedWord, 'start' | 'end'>[]): number {
  const durations = words
    .map(({ start, end }) => end - start)
    .filter((duration) => duration > 0)
    .sort((a, b) => a - b);
  if (durations.length === 0) return 0;
  const middle = durations.length >> 1;
  const median =
    durations.length % 2 === 1 ? durations[middle]! : (durations[middle - 1]! + durations[middle]!) / 2;
  return LONGEST_WORD * Math.min(LONGEST_MEDIAN, median);
}

/** Time and probability are those of the word itself: its punctuation may lie anywhere and be anything. */
function joined(group: TimedWord[]): TimedWord {
  const spoken = group.filter(({ text }) => isSpoken(text));
  const main = spoken.length > 0 ? spoken : group;
  return {
    text: group
      .map(({ text }) => text)
      .join('')
      .trim(),
    tokens: group.flatMap(({ tokens }) => tokens),
    start: main[0]!.start,
    end: main.at(-1)!.end,
    probability: main.reduce((sum, { probability }) => sum + probability, 0) / main.length,
  };
}
