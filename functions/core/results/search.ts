/**
 * Full-text search over everything that somebody's jobs have found: what was said, what could be read
 * on the screen, how the files are called. Hits come medium by medium, the best medium first, and
 * within one in the order of time.
 *
 * A job counts from its first saved results on. Of one that is cut over several machines the pieces
 * have them, each within what it owns, and they count as their job's; when it is joined it has its own.
 */
import type { Core } from '../core.ts';
import type { Sql } from '../database.ts';
import { firstMatchMs, type Snippet, snippetOf } from './search/marks.ts';
import { readQuery, type Term, toTsQuery } from './search/query.ts';

export const hitKinds = ['speech', 'text', 'name'] as const;
export type HitKind = (typeof hitKinds)[number];

export interface Hit extends Snippet {
  jobId: string;
  name: string;
  mediumKind: 'image' | 'audio' | 'video' | null;
  kind: HitKind;
  startMs: number;
  endMs: number;
  rank: number;
}

export interface SearchPage {
  hits: Hit[];
  next: Place | null;
  /** There are more than were looked at: the newest were. */
  isCut: boolean;
}

/** Where a page ends: a hit's place in the order. */
export interface Place {
  best: number;
  jobId: string;
  startMs: number;
  kind: HitKind;
  /** Tells hits of one time apart. */
  entry: string;
}

/** Of each kind. More are of no use to a person, and ranking them would take seconds. */
const mostLookedAt = 5000;

interface Row extends Place {
  rank: number;
  /** Where its words are; a name has none. */
  ownerId: string;
  analyzer: string | null;
  fromMs: number | null;
  ordinal: number | null;
  endMs: number;
  text: string;
  name: string;
  mediumKind: Hit['mediumKind'];
  words: { startMs: number; endMs: number; text: string }[] | null;
}

/** @param options.kinds null: all. */
export async function searchLibrary(
  { sql }: Pick<Core, 'sql'>,
  userId: string,
  text: string,
  options: { kinds: readonly HitKind[] | null; limit: number; after: Place | null },
): Promise<SearchPage> {
  const terms = readQuery(text);
  const query = toTsQuery(terms);
  if (query === null) return { hits: [], next: null, isCut: false };
  const kinds = options.kinds ?? hitKinds;
  const rows = await sql<(Row & { isCut: boolean })[]>`
    with found as materialized (
      ${kinds.map((kind, index) => sql`${index > 0 ? sql`union all` : sql``} (${candidates(sql, kind, userId, query)})`)}
    ), ranked as (
      select *, max(rank) over (partition by job_id) as best,
        max(count) over () >= ${mostLookedAt} as is_cut
      from (select *, count(*) over (partition by kind) as count from found) f
    ), page as (
      select * from ranked
      where ${options.after === null ? sql`true` : isAfter(sql, options.after)}
      order by best desc, job_id desc, start_ms, kind, entry limit ${options.limit + 1}
    )
    select p.*, m.name, m.kind as medium_kind,
      case when p.kind = 'speech' then (
        select jsonb_agg(jsonb_build_object('startMs', w.start_ms, 'endMs', w.end_ms, 'text', w.text) order by w.ordinal)
        from words w where (w.job_id, w.analyzer, w.from_ms, w.segment_ordinal) = (p.owner_id, p.analyzer, p.from_ms, p.ordinal)
      ) end as words
    from page p join jobs j using (job_id) join media m using (media_id)
    order by best desc, job_id desc, start_ms, p.kind, entry`;
  const shown = rows.slice(0, options.limit);
  const last = shown.at(-1);
  return {
    hits: shown.map((row) => toHit(row, terms)),
    next: rows.length > options.limit && last ? placeOf(last) : null,
    isCut: rows[0]?.isCut ?? false,
  };
}

/** The newest that fit, of one kind. */
function candidates(sql: Sql, kind: HitKind, userId: string, query: string) {
  const wanted = sql`to_tsquery('simple', ${query})`;
  if (kind === 'name') {
    return sql`
      select 'name' as kind, job_id, job_id as owner_id, null as analyzer, null::integer as from_ms, null::integer as ordinal,
        '' as entry, 0 as start_ms, 0 as end_ms, m.name as text, m.search, ts_rank_cd(m.search, ${wanted}, 1) as rank
      from media m join jobs j using (media_id)
      where m.search @@ ${wanted} and j.user_id = ${userId} and j.parent_job_id is null and ${isBegun(sql)}
      order by job_id desc limit ${mostLookedAt}`;
  }
  const table = kind === 'speech' ? sql`segments` : sql`texts`;
  // What lasts over several parts has a row in each: it is found where it begins.
  const entry = kind === 'speech' ? sql`s.from_ms || ' ' || s.ordinal` : sql`s.text_id`;
  // What a rank costs is paid for the newest only.
  return sql`
    select *, ts_rank_cd(search, ${wanted}, 1) as rank from (
      select distinct on (shown_id, entry) ${kind} as kind, shown_id as job_id, owner_id, analyzer, from_ms, ordinal,
        entry, start_ms, end_ms, text, search
      from (
        select s.*, j.job_id as owner_id, coalesce(j.parent_job_id, j.job_id) as shown_id, ${entry} as entry
        from ${table} s join jobs j using (job_id) left join jobs p on p.job_id = j.parent_job_id
        where s.search @@ ${wanted} and j.user_id = ${userId}
          and case when j.parent_job_id is null then j.state <> 'split' and ${isBegun(sql)}
            else p.state = 'split' and j.piece is not null
              and s.start_ms >= j.piece_from_ms and s.start_ms < j.piece_to_ms end
        order by coalesce(j.parent_job_id, j.job_id) desc limit ${mostLookedAt}
      ) newest
      order by shown_id, entry, start_ms
    ) once`;
}

/** In a queue only where it has been begun before and goes on. */
function isBegun(sql: Sql) {
  return sql`(j.state in ('running', 'split', 'succeeded', 'failed', 'canceled', 'expired') or j.attempt > 0)`;
}

function isAfter(sql: Sql, { best, jobId, startMs, kind, entry }: Place) {
  return sql`(best < ${best}::real or (best = ${best}::real and (job_id < ${jobId} or (job_id = ${jobId}
    and (start_ms, kind, entry) > (${startMs}::integer, ${kind}::text, ${entry}::text)))))`;
}

function placeOf({ best, jobId, startMs, kind, entry }: Row): Place {
  return { best, jobId, startMs, kind, entry };
}

function toHit(row: Row, terms: readonly Term[]): Hit {
  const { jobId, name, mediumKind, kind, startMs, endMs, rank, text } = row;
  const matchMs = kind === 'speech' ? firstMatchMs({ ...row, words: row.words ?? [] }, terms) : startMs;
  return { jobId, name, mediumKind, kind, startMs: matchMs, endMs, rank, ...snippetOf(text, terms) };
}
