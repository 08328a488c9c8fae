/** Builds the document of a job from its rows: of a finished one to keep it, of any other as it stands. */
import type { Sql, Tx } from '../database.ts';
import {
  joinFaces,
  joinModeration,
  joinObjects,
  joinPeople,
  joinPictures,
  joinScenes,
  joinSignals,
  joinSpeakers,
  joinTexts,
  loudnessOf,
  segmentsOf,
} from './join.ts';
import { readJoined } from './joined.ts';
import { joinLoudness } from './loudness.ts';
import { ResultRow } from './rows.ts';
import { AnalyzerRun, RunReport } from './run.ts';
import type { ResultDocument } from './schema.ts';
import { withSpeakers } from './speaker-words.ts';

interface JobRow {
  state: string;
  analyses: string[];
  errorCode: string | null;
  errorDetail: string | null;
  run: unknown;
  reused: unknown;
  name: string;
  contentType: string | null;
  sizeBytes: number | null;
  kind: 'image' | 'audio' | 'video' | null;
  durationMs: number | null;
  width: number | null;
  height: number | null;
}

/** @throws where there is no such job. */
export async function buildDocument(sql: Sql | Tx, jobId: string): Promise<ResultDocument> {
  const [job] = await sql<JobRow[]>`
    select state, analyses, error_code, error_detail, run, reused, name, content_type, size_bytes, kind, duration_ms, width, height
    from jobs join media using (media_id) where job_id = ${jobId}`;
  if (!job) throw new Error(`There is no job ${jobId}.`);
  // While it is cut, its pieces have what there is.
  const joined = job.state === 'split' ? await readJoined(sql, jobId) : null;
  const parts: { analyzer: string; rows: unknown }[] =
    joined?.parts ?? (await sql`select analyzer, rows from result_parts(${jobId})`);
  const { rows, unreadable } = readRows(parts);
  const ownRun = joined?.run ?? RunReport.safeParse(job.run).data ?? null;
  const reused = AnalyzerRun.array().safeParse(job.reused).data ?? [];
  const run = ownRun && { ...ownRun, analyzers: [...ownRun.analyzers, ...reused] };
  const lost = [
    ...(unreadable > 0 ? [`${unreadable} of the saved findings are not readable and are left out.`] : []),
    ...(job.run !== null && run === null ? ['What the worker reported of its run is not readable.'] : []),
  ];

  const statusOf = (analyzer: string) => run?.analyzers.find((one) => one.name === analyzer)?.status;
  /** Whether there is anything to say: it was asked for, and has run or saved something. */
  const ran = (analyzer: string) =>
    job.analyses.includes(analyzer) &&
    (parts.some((part) => part.analyzer === analyzer) ||
      ['ok', 'nothing_found'].includes(statusOf(analyzer) ?? ''));
  const speakers = ran('speakers') ? joinSpeakers(rows) : null;
  const said = segmentsOf(rows).map(({ kind: _, ...segment }) => segment);
  const segments = speakers ? withSpeakers(said, speakers) : said;

  return {
    schema: 'aima/result/1',
    jobId,
    status:
      job.state === 'succeeded' && !run?.analyzers.some((one) => one.status === 'failed')
        ? 'complete'
        : 'partial',
    state: job.state,
    error: job.errorCode ? { code: job.errorCode, detail: job.errorDetail } : null,
    medium: {
      name: job.name,
      contentType: job.contentType,
      sizeBytes: job.sizeBytes,
      kind: job.kind,
      durationMs: job.durationMs,
      width: job.width,
      height: job.height,
    },
    run,
    notes: [...notesOf(run), ...lost],
    transcript:
      ran('transcribe') || statusOf('transcribe') === 'unsupported_language'
        ? { status: statusOf('transcribe') ?? 'partial', language: segments[0]?.language ?? null, segments }
        : null,
    speakers,
    texts: ran('ocr') ? joinTexts(rows) : null,
    scenes: ran('scenes') ? joinScenes(rows) : null,
    objects: ran('objects') ? joinObjects(rows) : null,
    faces: ran('faces') ? joinFaces(rows) : null,
    people: ran('faces') ? joinPeople(rows) : null,
    moderation: ran('moderation') ? joinModeration(rows) : null,
    pictures: ran('similarity') ? joinPictures(rows) : null,
    signals: ran('signals') ? joinSignals(rows) : null,
    loudness: ran('signals') ? joinLoudness(loudnessOf(rows)) : null,
  };
}

/**
 * A rented machine wrote these rows, and the database only knows their columns. One that is not as
 * it should be must not keep the job from ever being settled.
 */
function readRows(parts: { rows: unknown }[]): { rows: ResultRow[]; unreadable: number } {
  const saved = parts.flatMap((part) => (Array.isArray(part.rows) ? part.rows : []));
  const rows = saved.flatMap((row) => ResultRow.safeParse(row).data ?? []);
  return { rows, unreadable: saved.length - rows.length };
}

/** Each sentence once: why an analysis gave less than asked, and what its models are good for. */
function notesOf(run: RunReport | null): string[] {
  const notes = (run?.analyzers ?? []).flatMap((one) => [
    ...(one.reason ? [`${one.name}: ${one.reason}`] : []),
    ...one.models.flatMap((model) =>
      model.note && one.status === 'ok' ? [`${one.name}: ${model.note}`] : [],
    ),
  ]);
  return [...new Set([...(run?.damages ?? []), ...notes])];
}
