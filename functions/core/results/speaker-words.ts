/**
 * Who says which words: the transcript's utterances with the speaker of each, cut where the voice
 * changes. Pure.
 *
 * A word is whose turn it lies in most. Times of words and of turns are a little off, so a single
 * short word goes with its neighbours instead of changing the speaker there and back.
 */
import type { Word } from './rows.ts';
import type { ResultDocument } from './schema.ts';

type Segment = NonNullable<ResultDocument['transcript']>['segments'][number];
type Speakers = NonNullable<ResultDocument['speakers']>;

interface Turn {
  speakerId: string;
  startMs: number;
  endMs: number;
}

/** A word outside of all turns belongs to the nearest one, if it is no further away than this. */
const NEAR_MS = 500;
const SHORT_WORD_MS = 500;

/** @returns the segments in their order; one of several voices as several, which have its words and text among them. */
export function withSpeakers(segments: readonly Segment[], speakers: Speakers): Segment[] {
  const turns = speakers
    .flatMap(({ speakerId, turns }) => turns.map((turn) => ({ ...turn, speakerId })))
    .sort((a, b) => a.startMs - b.startMs);
  return segments.flatMap((segment) => {
    if (segment.words.length === 0) return { ...segment, speakerId: speakerOf(segment, turns) };
    const ids = smoothed(
      segment.words.map((word) => speakerOf(word, turns)),
      segment.words,
    );
    const starts = ids.flatMap((id, index) => (index === 0 || id !== ids[index - 1] ? index : []));
    if (starts.length === 1) return { ...segment, speakerId: ids[0]! };
    const texts = cutText(segment, starts);
    return starts.map((from, index) => {
      const words = segment.words.slice(from, starts[index + 1]);
      return { ...segment, ...measuresOf(words), words, text: texts[index]!, speakerId: ids[from]! };
    });
  });
}

function speakerOf(said: { startMs: number; endMs: number }, turns: readonly Turn[]): string | null {
  const behind = firstBehind(said.endMs + NEAR_MS, turns);
  const sharedMs = new Map<string, number>();
  let nearest = { speakerId: null as string | null, gapMs: NEAR_MS };
  // Turns do not overlap, so those near a word follow each other.
  for (let index = behind - 1; index >= 0; index--) {
    const { speakerId, startMs, endMs } = turns[index]!;
    if (endMs < said.startMs - NEAR_MS) break;
    const shared = Math.min(endMs, said.endMs) - Math.max(startMs, said.startMs);
    if (shared > 0) sharedMs.set(speakerId, (sharedMs.get(speakerId) ?? 0) + shared);
    else if (-shared <= nearest.gapMs) nearest = { speakerId, gapMs: -shared };
  }
  const [most] = [...sharedMs].sort((a, b) => b[1] - a[1]);
  return most ? most[0] : nearest.speakerId;
}

/** Index of the first turn that starts at this time or later. */
function firstBehind(tMs: number, turns: readonly Turn[]): number {
  let [low, high] = [0, turns.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (turns[middle]!.startMs < tMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Words that are nobody's, and single short ones, go with the word before them, or else behind. */
function smoothed(ids: readonly (string | null)[], words: readonly Word[]): (string | null)[] {
  const result = [...ids];
  for (let index = 0; index < ids.length; index++) {
    result[index] ??= result[index - 1] ?? ids.slice(index).find((id) => id !== null) ?? null;
  }
  for (const [index, { startMs, endMs }] of words.entries()) {
    const [before, behind] = [result[index - 1], result[index + 1]];
    const isAlone = result[index] !== before && result[index] !== behind;
    if (isAlone && endMs - startMs <= SHORT_WORD_MS) result[index] = before ?? behind ?? result[index]!;
  }
  return result;
}

/** The text in as many pieces; from the words alone where they are not the text's. */
function cutText({ text, words }: Segment, starts: readonly number[]): string[] {
  const foundAt: number[] = [];
  let readTo = 0;
  for (const word of words) {
    const at = text.indexOf(word.text, readTo);
    if (at < 0) {
      return starts.map((from, index) =>
        words
          .slice(from, starts[index + 1])
          .map((one) => one.text)
          .join(' '),
      );
    }
    foundAt.push(at);
    readTo = at + word.text.length;
  }
  return starts.map((from, index) => {
    const next = starts[index + 1];
    return text.slice(index === 0 ? 0 : foundAt[from], next === undefined ? undefined : foundAt[next]).trim();
  });
}

function measuresOf(words: readonly Word[]) {
  const confidences = words.flatMap((word) => word.confidence ?? []);
  return {
    startMs: words[0]!.startMs,
    endMs: Math.max(...words.map((word) => word.endMs)),
    confidence:
      confidences.length > 0 ? confidences.reduce((sum, one) => sum + one, 0) / confidences.length : null,
  };
}
