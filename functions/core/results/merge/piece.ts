/** What a piece of a long medium gives to the whole: its rows, and the stretch of time it answers for. */
import type { ResultRow } from '../rows.ts';

export interface Piece {
  /** 1, 2, … in the order of time. */
  piece: number;
  /** What it owns: [fromMs, toMs). The last one owns all that comes, whatever the duration was taken for. */
  fromMs: number;
  toMs: number;
  /** So much more it has analysed on both sides, so that it and its neighbour have seen the same there. */
  overlapMs: number;
  rows: ResultRow[];
}

export type RowOf<Kind extends ResultRow['kind']> = Extract<ResultRow, { kind: Kind }>;

/** Rows of one kind, in the order of time. */
export function rowsOf<Kind extends ResultRow['kind']>(
  { rows }: Pick<Piece, 'rows'>,
  kind: Kind,
): RowOf<Kind>[] {
  return rows
    .filter((row): row is RowOf<Kind> => row.kind === kind)
    .toSorted((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
}

/** An id as it is called in the whole. */
export function nameOf({ piece }: Pick<Piece, 'piece'>, id: string): string {
  return `${piece}-${id}`;
}

/** What of a row lies in the time that the piece owns: the row or nothing. A still picture has no duration. */
export function clipped<Row extends { startMs: number; endMs: number }>(
  row: Row,
  { fromMs, toMs }: Pick<Piece, 'fromMs' | 'toMs'>,
): Row[] {
  const [startMs, endMs] = [Math.max(row.startMs, fromMs), Math.min(row.endMs, toMs)];
  const isMoment = row.startMs === row.endMs && row.startMs >= fromMs && row.startMs < toMs;
  return startMs < endMs || isMoment ? [{ ...row, startMs, endMs }] : [];
}
