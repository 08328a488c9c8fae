/** What the pieces of a job have found so far, joined as if one worker had gone through the whole medium. */
import type { Sql, Tx } from '../database.ts';
import { mergeRows } from './merge/merge.ts';
import { mergeRuns } from './merge/runs.ts';
import { ResultRow } from './rows.ts';
import { RunReport } from './run.ts';

export interface JoinedPart {
  analyzer: string;
  fromMs: number;
  toMs: number;
  rows: ResultRow[];
}

export interface Joined {
  parts: JoinedPart[];
  run: RunReport | null;
}

interface PieceRow {
  piece: number;
  fromMs: number;
  toMs: number;
  overlapMs: number;
  run: unknown;
  /** null: nothing was saved. */
  parts: { analyzer: string; toMs: number; rows: unknown[] }[] | null;
}

/** @param jobId of a job that was cut. */
export async function readJoined(sql: Sql | Tx, jobId: string): Promise<Joined> {
  const found = await sql<PieceRow[]>`
    select piece, piece_from_ms as from_ms, piece_to_ms as to_ms, overlap_ms, run,
      (select jsonb_agg(jsonb_build_object('analyzer', analyzer, 'toMs', to_ms, 'rows', rows)) from result_parts(job_id)) as parts
    from jobs where parent_job_id = ${jobId} and piece is not null order by piece`;
  const pieces = found.map((row) => ({ ...row, parts: row.parts ?? [], ...readRows(row) }));
  const ends = pieces.map((piece, index) => (index === pieces.length - 1 ? Infinity : piece.toMs));
  const rows = mergeRows(pieces.map((piece, index) => ({ ...piece, toMs: ends[index]! })));
  const parts = pieces.flatMap((piece, index) =>
    [...Map.groupBy(piece.parts, (part) => part.analyzer)].map(([analyzer, saved]) => ({
      analyzer,
      fromMs: piece.fromMs,
      toMs: Math.max(piece.fromMs, Math.min(ends[index]!, Math.max(...saved.map((part) => part.toMs)))),
      rows: rows[index]!.filter((row) => analyzerOf[row.kind] === analyzer),
    })),
  );
  return { parts, run: readRuns(pieces) };
}

/** Whose rows are of which kind. */
const analyzerOf: Record<ResultRow['kind'], string> = {
  segment: 'transcribe',
  text: 'ocr',
  scene: 'scenes',
  object: 'objects',
  face: 'faces',
  person: 'faces',
  voice: 'speakers',
  speaker: 'speakers',
  moderation: 'moderation',
  picture: 'similarity',
  signal: 'signals',
  loudness: 'signals',
};

/** A rented machine wrote them: what cannot be read is left out, and counted. */
function readRows({ parts }: PieceRow): { rows: ResultRow[]; unreadable: number } {
  const saved = (parts ?? []).flatMap((part) => part.rows);
  const rows = saved.flatMap((row) => ResultRow.safeParse(row).data ?? []);
  return { rows, unreadable: saved.length - rows.length };
}

function readRuns(pieces: { run: unknown; unreadable: number }[]): RunReport | null {
  const run = mergeRuns(pieces.flatMap((piece) => RunReport.safeParse(piece.run).data ?? []));
  const unreadable = pieces.reduce((sum, piece) => sum + piece.unreadable, 0);
  if (run && unreadable > 0)
    run.damages.push(`${unreadable} of the saved findings are not readable and are left out.`);
  return run;
}
