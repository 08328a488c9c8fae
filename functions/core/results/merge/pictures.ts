/**
 * Pictures from pieces. Each piece's stretches are clipped to what it owns. The one that lasts up to a
 * cut and the one that goes on from there are one picture where they look the same, as they would be
 * for a worker that went through both.
 */
import { pieceFolder } from '../../storage/prefix.ts';
import { decodeEmbedding } from '../embeddings.ts';
import { type Look, looksSame } from '../pictures-alike.ts';
import type { PictureRow } from '../rows.ts';
import { clipped, nameOf, type Piece, rowsOf } from './piece.ts';

/** For each piece its rows, clipped and named. */
export function mergePictures(pieces: readonly Piece[]): PictureRow[][] {
  /** What is seen at the end of the piece before, as it is called in the whole. */
  let last: PictureRow | null = null;
  return pieces.map((piece) => {
    const stretches = Map.groupBy(rowsOf(piece, 'picture'), (row) => row.pictureId);
    const merged: PictureRow[] = [];
    for (const rows of stretches.values()) {
      const own = rows.flatMap((row) => clipped(row, piece));
      const [first] = own;
      if (!first) continue;
      const picture = named(rows[0]!, piece, first.startMs);
      const goesOn: boolean =
        last !== null && first.startMs === last.endMs && looksSame(lookOf(last), lookOf(picture));
      if (!goesOn) last = picture;
      for (const [index, { startMs, endMs }] of own.entries()) {
        const isFirst = index === 0 && !goesOn;
        merged.push({ ...last!, ...(isFirst ? {} : noVector), startMs, endMs });
      }
      last = { ...last!, endMs: own.at(-1)!.endMs };
    }
    return merged;
  });
}

/** A picture that was chosen before the piece began stands for what follows from there on. */
function named(row: PictureRow, piece: Piece, fromMs: number): PictureRow {
  return {
    ...row,
    pictureId: nameOf(piece, row.pictureId),
    keyframeMs: Math.max(row.keyframeMs, fromMs),
    thumbnail: row.thumbnail && pieceFolder(piece.piece) + row.thumbnail,
  };
}

const noVector = { embedding: null, embeddingSpace: null, sketch: null } as const;

function lookOf({ perceptualHash, embedding }: PictureRow): Look {
  return { perceptualHash, embedding: embedding === null ? null : decodeEmbedding(embedding) };
}
