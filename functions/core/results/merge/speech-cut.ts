/**
 * Where the words of one piece end and those of the next begin.
 *
 * Both have heard the time around the cut, each from another beginning: the words are mostly the
 * same, their times nearly, and at the very ends of what each has heard there may be wrong ones. So
 * the two are aligned, and the cut is made behind a word that both have heard, near the middle: up
 * to there the left one is heard, from there on the right one, and nothing is lost or comes twice.
 */
import type { Word } from '../rows.ts';
import { bareWord } from './joined-words.ts';

/** Times of one word that was heard twice; measured a few hundredths of a second apart. A short word lasts as long. */
const sameWordMs = 300;

export interface SpeechCut {
  /** So many words of the left piece are kept; so many of the right one are dropped. */
  leftKept: number;
  rightDropped: number;
  atMs: number;
}

/**
 * @param left words of the piece before the cut, in order; @param right of the one behind it.
 * @param cutMs where the medium was cut; @param overlapMs what both have heard before and behind it.
 */
export function cutSpeech(
  left: readonly Word[],
  right: readonly Word[],
  cutMs: number,
  overlapMs: number,
): SpeechCut {
  const isNear = (word: Word) => word.endMs > cutMs - overlapMs && word.startMs < cutMs + overlapMs;
  const nearest = alignment(near(left, isNear), near(right, isNear))
    // Behind it the right piece must go on, not back.
    .filter(([l, r]) => (right[r + 1]?.startMs ?? Infinity) > left[l]!.startMs)
    .toSorted(([a], [b]) => Math.abs(middle(left[a]!) - cutMs) - Math.abs(middle(left[b]!) - cutMs))[0];
  if (nearest) {
    const [l, r] = nearest;
    return { leftKept: l + 1, rightDropped: r + 1, atMs: left[l]!.endMs };
  }
  const atMs = quietMoment([...left, ...right].filter(isNear), cutMs);
  const before = (words: readonly Word[]) => words.filter((word) => middle(word) < atMs).length;
  return { leftKept: before(left), rightDropped: before(right), atMs };
}

interface Heard {
  index: number;
  word: Word;
}

function near(words: readonly Word[], isNear: (word: Word) => boolean): Heard[] {
  return words.map((word, index) => ({ index, word })).filter(({ word }) => isNear(word));
}

/**
 * Pairs of indices of the same word, both rising: of all such alignments the one with the most and
 * the nearest pairs (longest common subsequence, each pair counting by how near its times are). By
 * the number alone, a word that is said over and over would be paired with its neighbour.
 */
function alignment(left: Heard[], right: Heard[]): [number, number][] {
  // best[l][r]: of the words from l and r on.
  const best = Array.from({ length: left.length + 1 }, () => new Float64Array(right.length + 1));
  for (let l = left.length - 1; l >= 0; l--) {
    for (let r = right.length - 1; r >= 0; r--) {
      const paired = likeness(left[l]!.word, right[r]!.word);
      best[l]![r] = Math.max(
        best[l + 1]![r]!,
        best[l]![r + 1]!,
        paired > 0 ? paired + best[l + 1]![r + 1]! : 0,
      );
    }
  }
  const pairs: [number, number][] = [];
  for (let l = 0, r = 0; l < left.length && r < right.length; ) {
    if (best[l]![r] === best[l + 1]![r]) l++;
    else if (best[l]![r] === best[l]![r + 1]) r++;
    else pairs.push([left[l++]!.index, right[r++]!.index]);
  }
  return pairs;
}

/** 0 where they are not the same word, up to 1. */
function likeness(a: Word, b: Word): number {
  if (bareWord(a.text) !== bareWord(b.text)) return 0;
  return 1 - Math.max(Math.abs(a.startMs - b.startMs), Math.abs(a.endMs - b.endMs)) / sameWordMs;
}

/**
 * The moment nearest to the cut at which nobody is in the middle of a word. Not the middle of the widest
 * pause: that may be seconds away, and words that only one of the two has heard would be lost up to there.
 */
function quietMoment(words: readonly Word[], cutMs: number): number {
  const moments = [cutMs, ...words.flatMap(({ startMs, endMs }) => [startMs, endMs])];
  const isQuiet = (ms: number) => !words.some(({ startMs, endMs }) => startMs < ms && ms < endMs);
  const away = (ms: number) => Math.abs(ms - cutMs);
  // Where they talk all the time, in the middle of a word then.
  return moments.filter(isQuiet).toSorted((a, b) => away(a) - away(b))[0] ?? cutMs;
}

function middle({ startMs, endMs }: Word): number {
  return (startMs + endMs) / 2;
}
