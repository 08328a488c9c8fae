/**
 * The list of somebody's jobs, newest first. It costs the same with a million jobs as with ten:
 * every filter becomes a range or an equality of an index that is in the order of the list, and a
 * search by name looks at a bounded number of jobs each page.
 */
import type { Core } from '../core.ts';
import type { Sql } from '../database.ts';
import { newId } from '../ids.ts';
import { describeError, iso, type JobPage, type JobSummary, linkOf } from './shapes.ts';
import type { JobState } from './states.ts';

export interface JobFilter {
  /** Jobs older than this one. */
  before?: string | undefined;
  states?: readonly JobState[] | undefined;
  batchId?: string | undefined;
  /** Part of the file's name; upper and lower case are the same. */
  name?: string | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
  limit: number;
}

/** Jobs whose names are looked at for one page: some 30 ms. */
const namesLookedAt = 5000;

/**
 * A job's id begins with the time of its making by the clock of whoever made it; created_at is the
 * database's. They may differ so much and the filter by time is still right.
 */
const clocksDifferMs = 10 * 60_000;

interface Row extends Omit<JobSummary, 'links' | 'error' | 'createdAt' | 'startedAt' | 'finishedAt'> {
  errorCode: string | null;
  errorDetail: string | null;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

interface Found {
  looked: number;
  lastLooked: string | null;
}

export async function listJobs(
  { sql }: Pick<Core, 'sql'>,
  userId: string,
  filter: JobFilter,
): Promise<JobPage> {
  // One row more than asked for tells whether there is a next page.
  const rows = await sql<(Found & (Row | { jobId: null }))[]>`${pageQuery(sql, userId, filter)}`;
  const found = rows.filter((row): row is Found & Row => row.jobId !== null);
  const page = found.slice(0, filter.limit);
  const { looked, lastLooked } = rows[0]!;
  const next =
    found.length > filter.limit ? page.at(-1)!.jobId : looked === lookedAtMost(filter) ? lastLooked : null;
  return { jobs: page.map(describe), nextCursor: next === null ? null : encodeCursor(next) };
}

/** The statement behind `listJobs`; tests look at its plan. */
export function pageQuery(sql: Sql, userId: string, filter: JobFilter) {
  const { name, limit } = filter;
  return sql`
    with looked as materialized (${newestJobs(sql, userId, filter)})
    select l.*, p.* from (select count(*)::int as looked, min(job_id) as last_looked from looked) l
    left join lateral (
      select j.*, m.name, m.kind, m.duration_ms from looked j join media m using (media_id)
      ${name === undefined ? sql`` : sql`where strpos(lower(m.name), lower(${name})) > 0`}
      order by job_id desc limit ${limit + 1}
    ) p on true
    order by p.job_id desc`;
}

function lookedAtMost({ name, limit }: JobFilter): number {
  return name === undefined ? limit + 1 : namesLookedAt;
}

function newestJobs(sql: Sql, userId: string, filter: JobFilter) {
  const { batchId, states } = filter;
  const { lowest, highest } = idRange(filter);
  const most = lookedAtMost(filter);
  const made = madeWithin(sql, filter);
  // Pieces of a long medium are their owner's business as one job (split.ts).
  const whole = sql`and parent_job_id is null`;
  if (batchId !== undefined) {
    // OFFSET 0: these few are found first and put in order then.
    return sql`
      select ${columns(sql)} from (select * from jobs where batch_id = ${batchId} offset 0) j
      where user_id = ${userId} and job_id >= ${lowest} and job_id < ${highest} ${whole} ${made}
        ${states ? sql`and state = any (${[...states]})` : sql``}
      order by job_id desc limit ${most}`;
  }
  // Ranges of whole index entries, although user and state are the same at both ends: with `=` the
  // planner may prefer to walk through the primary key, past a million jobs in other states.
  if (states === undefined) {
    return sql`
      select ${columns(sql)} from jobs j
      where (user_id, job_id) >= (${userId}, ${lowest}) and (user_id, job_id) < (${userId}, ${highest}) ${whole} ${made}
      order by user_id desc, job_id desc limit ${most}`;
  }
  return sql`
    select j.* from unnest(${[...states]}::text[]) as wanted (state)
    cross join lateral (
      select ${columns(sql)} from jobs j
      where (user_id, j.state, job_id) >= (${userId}, wanted.state, ${lowest})
        and (user_id, j.state, job_id) < (${userId}, wanted.state, ${highest}) ${whole} ${made}
      order by user_id desc, j.state desc, job_id desc limit ${most}
    ) j
    order by job_id desc limit ${most}`;
}

function columns(sql: Sql) {
  return sql`job_id, batch_id, media_id, j.state, analyses,
    case when j.state = 'split' then pieces_progress(job_id) else progress end as progress, error_code, error_detail,
    -- Written when its machines are gone; until then it grows.
    case when j.state in ('assigned', 'running', 'split') or finished_at > now() - interval '10 minutes'
      then job_cost(job_id) else cost_microdollars end as cost_microdollars,
    created_at, started_at, finished_at`;
}

/** Ids from `lowest` on and below `highest`. */
function idRange({ before, createdAfter, createdBefore }: JobFilter): { lowest: string; highest: string } {
  const lowest = createdAfter ? lowestId(createdAfter.getTime() - clocksDifferMs) : '';
  const ends = ['~', ...(before === undefined ? [] : [before])];
  if (createdBefore) ends.push(lowestId(createdBefore.getTime() + clocksDifferMs));
  return { lowest, highest: ends.toSorted()[0]! };
}

function madeWithin(sql: Sql, { createdAfter, createdBefore }: JobFilter) {
  return sql`
    ${createdAfter ? sql`and created_at >= ${createdAfter}` : sql``}
    ${createdBefore ? sql`and created_at < ${createdBefore}` : sql``}`;
}

/** Ids made at that time or later are not below it. */
function lowestId(ms: number): string {
  return newId(Math.max(0, ms), new Uint8Array(16));
}

function describe(row: Row): JobSummary {
  return {
    jobId: row.jobId,
    batchId: row.batchId,
    name: row.name,
    kind: row.kind,
    durationMs: row.durationMs,
    state: row.state,
    progress: row.progress,
    analyses: row.analyses,
    error: describeError(row.errorCode, row.errorDetail),
    costMicrodollars: row.costMicrodollars,
    createdAt: iso(row.createdAt),
    startedAt: iso(row.startedAt),
    finishedAt: iso(row.finishedAt),
    links: { self: linkOf(row.jobId) },
  };
}

/** Opaque, so that what it stands for may change. */
export function encodeCursor(text: string): string {
  return Buffer.from(text).toString('base64url');
}

export function decodeCursor(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString();
}
