/**
 * What is followed over time (texts, objects, faces), from pieces. Each piece's rows are clipped to
 * what it owns. What is there on both sides of a cut is one thing with one id where both pieces, in
 * the time that both have seen, saw the same at the same place.
 */

import { pieceFolder } from '../../storage/prefix.ts';
import { iou } from '../boxes.ts';
import { decodeEmbedding, dot } from '../embeddings.ts';
import type { Box, FaceRow, ObjectRow, TextRow } from '../rows.ts';
import { overlap, textSimilarity } from '../similarity.ts';
import { nameOf, type Piece, rowsOf } from './piece.ts';

/** Of two boxes of one thing in the same frame, found in two runs: nearly the same. */
const samePlace = 0.5;
/** As where a text is followed from frame to frame (gpu-worker/analyzers/ocr/tracks.ts): a reading may err. */
const sameText = 0.6;
/** As where a face is followed (gpu-worker/analyzers/faces.ts). */
const sameFace = 0.5;

type Row = TextRow | ObjectRow | FaceRow;

/** How one kind of row is handled. */
export interface Followed<R extends Row> {
  kind: R['kind'];
  idOf(row: R): string;
  /** The row as it is called in the whole. */
  named(row: R, id: string, piece: Piece): R;
  /** What of it lies in [fromMs, toMs), or null. */
  clipped(row: R, fromMs: number, toMs: number): R | null;
  /** How alike two are in what both pieces saw, nearest to the cut; 0 where they are not the same. */
  likeness(left: R[], right: R[], cutMs: number): number;
}

/** For each piece its rows, clipped and named. */
export function mergeFollowed<R extends Row>(pieces: readonly Piece[], followed: Followed<R>): R[][] {
  const { idOf, named, clipped, likeness } = followed;
  const whole = pieces.map((piece) => rowsOf(piece, followed.kind) as R[]);
  const own = pieces.map(({ fromMs, toMs }, index) =>
    whole[index]!.flatMap((row) => clipped(row, fromMs, toMs) ?? []),
  );
  /** What each piece's things are called in the whole. */
  const names: Map<string, string>[] = [];
  for (const [index, piece] of pieces.entries()) {
    const ownNames = new Map<string, string>();
    names.push(ownNames);
    const before = names[index - 1];
    if (before) {
      const [left, right] = [index - 1, index].map((at) => lasting(whole[at]!, own[at]!, idOf));
      const pairs = bestPairs(left!, right!, (a, b) => likeness(a, b, piece.fromMs));
      for (const [leftId, rightId] of pairs) ownNames.set(rightId, before.get(leftId)!);
    }
    for (const row of own[index]!) {
      if (!ownNames.has(idOf(row))) ownNames.set(idOf(row), nameOf(piece, idOf(row)));
    }
  }
  return own.map((rows, index) =>
    rows.map((row) => named(row, names[index]!.get(idOf(row))!, pieces[index]!)),
  );
}

/** All rows of each thing of which something is left where it is owned. */
function lasting<R extends Row>(whole: R[], own: R[], idOf: (row: R) => string): Map<string, R[]> {
  const ids = new Set(own.map(idOf));
  return Map.groupBy(
    whole.filter((row) => ids.has(idOf(row))),
    idOf,
  );
}

/** Each at most once, the most alike first. */
function bestPairs<R>(
  left: Map<string, R[]>,
  right: Map<string, R[]>,
  likeness: (left: R[], right: R[]) => number,
): [string, string][] {
  const pairs = [...left]
    .flatMap(([leftId, leftRows]) =>
      [...right].map(([rightId, rows]) => ({ leftId, rightId, score: likeness(leftRows, rows) })),
    )
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score);
  const [takenLeft, takenRight] = [new Set<string>(), new Set<string>()];
  return pairs.flatMap(({ leftId, rightId }): [string, string][] => {
    if (takenLeft.has(leftId) || takenRight.has(rightId)) return [];
    takenLeft.add(leftId);
    takenRight.add(rightId);
    return [[leftId, rightId]];
  });
}

export const texts: Followed<TextRow> = {
  kind: 'text',
  idOf: (row) => row.textId,
  named: (row, textId) => ({ ...row, textId }),
  clipped(row, fromMs, toMs) {
    const [startMs, endMs] = [Math.max(row.startMs, fromMs), Math.min(row.endMs, toMs)];
    return startMs < endMs ? { ...row, startMs, endMs } : null;
  },
  likeness(left, right, cutMs) {
    const [a, b] = [left, right].map((rows) => rows.toSorted((x, y) => away(x, cutMs) - away(y, cutMs))[0]!);
    const shared = overlap(a!.quad, b!.quad);
    const isSeenTogether = a!.startMs < b!.endMs && b!.startMs < a!.endMs;
    return isSeenTogether && shared >= samePlace && textSimilarity(a!.text, b!.text) >= sameText ? shared : 0;
  },
};

export const objects: Followed<ObjectRow> = {
  kind: 'object',
  idOf: (row) => row.trackId,
  named: (row, trackId) => ({ ...row, trackId }),
  clipped: clippedTrack,
  likeness: (left, right, cutMs) =>
    left[0]!.classId === right[0]!.classId ? placeLikeness(left, right, cutMs) : 0,
};

export const faces: Followed<FaceRow> = {
  kind: 'face',
  idOf: (row) => row.trackId,
  named: (row, trackId, { piece }) => ({
    ...row,
    trackId,
    thumbnail: row.thumbnail && pieceFolder(piece) + row.thumbnail,
  }),
  clipped: clippedTrack,
  likeness(left, right, cutMs) {
    const [a, b] = [left.at(-1)!, right[0]!];
    const isSame =
      a.embeddingSpace === b.embeddingSpace &&
      dot(decodeEmbedding(a.embedding), decodeEmbedding(b.embedding)) >= sameFace;
    return isSame ? placeLikeness(left, right, cutMs) : 0;
  },
};

/** A track is where it was seen. */
function clippedTrack<R extends ObjectRow | FaceRow>(row: R, fromMs: number, toMs: number): R | null {
  const samples = (row.samples as { tMs: number }[]).filter(({ tMs }) => tMs >= fromMs && tMs < toMs);
  const [startMs, endMs] = [Math.max(row.startMs, fromMs), Math.min(row.endMs, toMs)];
  return samples.length > 0 ? ({ ...row, startMs, endMs, samples } as R) : null;
}

interface Sample {
  tMs: number;
  box: Box;
}

/** How much they overlap in the frame nearest to the cut that both were seen in: all pieces look at the same frames. */
function placeLikeness(left: { samples: Sample[] }[], right: { samples: Sample[] }[], cutMs: number): number {
  const seenRight = new Map(right.flatMap(({ samples }) => samples).map((sample) => [sample.tMs, sample]));
  const shared = left
    .flatMap(({ samples }) => samples)
    .filter(({ tMs }) => seenRight.has(tMs))
    .toSorted((a, b) => Math.abs(a.tMs - cutMs) - Math.abs(b.tMs - cutMs))[0];
  const likeness = shared ? iou(shared.box, seenRight.get(shared.tMs)!.box) : 0;
  return likeness >= samePlace ? likeness : 0;
}

/** 0 within. */
function away({ startMs, endMs }: { startMs: number; endMs: number }, tMs: number): number {
  return Math.max(0, startMs - tMs, tMs - endMs);
}
