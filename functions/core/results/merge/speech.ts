/** The utterances of a medium from those of its pieces: speech-cut.ts says between which words it is cut. */
import type { SegmentRow, Word } from '../rows.ts';
import { joinWords } from './joined-words.ts';
import { nameOf, type Piece, rowsOf } from './piece.ts';
import { cutSpeech, type SpeechCut } from './speech-cut.ts';

/** An utterance of one piece, and whether words of it were left to the neighbours. */
interface Utterance {
  row: SegmentRow;
  isCutBefore: boolean;
  isCutBehind: boolean;
}

/** For each piece the utterances that begin in it. */
export function mergeSpeech(pieces: readonly Piece[]): SegmentRow[][] {
  const segments = pieces.map((piece) => rowsOf(piece, 'segment'));
  const words = segments.map((rows) => rows.flatMap((row) => row.words));
  const cuts = pieces
    .slice(1)
    .map((piece, index) => cutSpeech(words[index]!, words[index + 1]!, piece.fromMs, piece.overlapMs));
  const merged: SegmentRow[][] = [];
  /** The last utterance so far, while the next piece may go on with it. */
  let last: Utterance | null = null;
  for (const [index, piece] of pieces.entries()) {
    const own: SegmentRow[] = [];
    for (const utterance of kept(piece, segments[index]!, cuts[index - 1] ?? null, cuts[index] ?? null)) {
      if (last && goesOn(last, utterance)) {
        extend(last.row, utterance.row);
        last.isCutBehind = utterance.isCutBehind;
      } else {
        own.push(utterance.row);
        last = utterance;
      }
    }
    merged.push(own);
  }
  return merged;
}

/** An utterance has no pause so long: recognisers end one after half a second to a second of silence. */
const longestPauseMs = 2000;

/** Whether a cut went through the middle of them. */
function goesOn(last: Utterance, next: Utterance): boolean {
  return last.isCutBehind && next.isCutBefore && next.row.startMs - last.row.endMs < longestPauseMs;
}

/** What of a piece lies between its two cuts. */
function kept(
  piece: Piece,
  segments: readonly SegmentRow[],
  before: SpeechCut | null,
  behind: SpeechCut | null,
): Utterance[] {
  const first = before?.rightDropped ?? 0;
  const end = behind?.leftKept ?? Infinity;
  let count = 0;
  return segments.flatMap((segment) => {
    const { words } = segment;
    const [from, to] = [Math.max(0, first - count), Math.min(words.length, end - count)];
    count += words.length;
    const row = { ...segment, speakerId: segment.speakerId && nameOf(piece, segment.speakerId) };
    if (words.length === 0) {
      const middleMs = (segment.startMs + segment.endMs) / 2;
      const isOwn = middleMs >= (before?.atMs ?? 0) && middleMs < (behind?.atMs ?? Infinity);
      return isOwn ? [{ row, isCutBefore: false, isCutBehind: false }] : [];
    }
    if (from >= to) return [];
    const [isCutBefore, isCutBehind] = [from > 0, to < words.length];
    if (isCutBefore || isCutBehind) tellAnew(row, words.slice(from, to));
    return [{ row, isCutBefore, isCutBehind }];
  });
}

function extend(row: SegmentRow, next: SegmentRow): void {
  tellAnew(row, [...row.words, ...next.words]);
}

/** All that follows from the words, in the manner of the analyzer (gpu-worker/analyzers/transcribe.ts). */
function tellAnew(row: SegmentRow, words: Word[]): void {
  const confidences = words.flatMap((word) => word.confidence ?? []);
  row.words = words;
  row.text = joinWords(words, row.language);
  row.startMs = words[0]!.startMs;
  row.endMs = Math.max(...words.map((word) => word.endMs));
  row.confidence =
    confidences.length > 0 ? confidences.reduce((sum, one) => sum + one, 0) / confidences.length : null;
}
