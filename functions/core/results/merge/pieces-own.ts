/**
 * What needs no neighbour, from pieces: each piece's rows, of the time that it owns. What goes on over
 * a cut touches there, and joining makes one of it (../join.ts).
 */
import type { LoudnessRow, ModerationRow, SignalRow, VoiceRow } from '../rows.ts';
import { clipped, nameOf, type Piece, rowsOf } from './piece.ts';

/** A turn over a cut is two rows, one of each piece; their voice makes them one speaker's. */
export function ownVoices(pieces: readonly Piece[]): VoiceRow[][] {
  return pieces.map((piece) =>
    rowsOf(piece, 'voice')
      .flatMap((row) => clipped(row, piece))
      .map((row) => ({ ...row, turnId: nameOf(piece, row.turnId) })),
  );
}

export function ownModeration(pieces: readonly Piece[]): ModerationRow[][] {
  return pieces.map((piece) => rowsOf(piece, 'moderation').flatMap((row) => clipped(row, piece)));
}

export function ownSignals(pieces: readonly Piece[]): SignalRow[][] {
  return pieces.map((piece) => rowsOf(piece, 'signal').flatMap((row) => clipped(row, piece)));
}

/** A step belongs to the piece that owns its start. */
export function ownLoudness(pieces: readonly Piece[]): LoudnessRow[][] {
  return pieces.map((piece) =>
    rowsOf(piece, 'loudness').flatMap((row) => {
      const at = (ms: number) =>
        Math.min(row.peaks.length, Math.max(0, Math.ceil((ms - row.startMs) / row.stepMs)));
      const [from, to] = [at(piece.fromMs), at(piece.toMs)];
      if (from >= to) return [];
      return {
        ...row,
        startMs: row.startMs + from * row.stepMs,
        endMs: Math.min(row.endMs, row.startMs + to * row.stepMs),
        momentaryLufs: row.momentaryLufs.slice(from, to),
        peaks: row.peaks.slice(from, to),
      };
    }),
  );
}
