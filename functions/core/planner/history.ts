/** Reads what `learn` learns from: the machines that ended last and the jobs that succeeded last. */
import type { Sql, Tx } from '../database.ts';
import { type EndedInstance, type EndedRun, type Learned, learn } from './learned.ts';

/** Enough for fifty of each of ten kinds of machine; reading them takes some 5 ms. */
const mostRows = 500;

export async function readLearned(sql: Sql | Tx): Promise<Learned> {
  const [instances, runs] = await Promise.all([
    sql<EndedInstance[]>`
      select provider, offer ->> 'gpu' as gpu, host, coalesce((offer ->> 'interruptible')::boolean, false) as interruptible,
        reason,
        extract(epoch from ready_at - requested_at)::float8 * 1000 as boot_ms,
        extract(epoch from ready_at - started_at)::float8 * 1000 as load_ms,
        extract(epoch from coalesce(terminating_at, terminated_at) - requested_at)::float8 * 1000 as life_ms
      from instances where state = 'terminated' order by terminated_at desc limit ${mostRows}`,
    // One that went on after an earlier attempt did only a part of the work.
    sql<(Omit<EndedRun, 'transferMs'> & { transferMs: unknown })[]>`
      select i.provider, i.offer ->> 'gpu' as gpu, coalesce((i.offer ->> 'speed')::float8, 1) as speed,
        j.analyses, m.kind, coalesce(j.piece_to_ms - j.piece_from_ms, m.duration_ms) as duration_ms, m.size_bytes,
        extract(epoch from a.ended_at - a.started_at)::float8 * 1000 as took_ms, j.run -> 'transferMs' as transfer_ms
      from (select job_id, media_id, analyses_left(jobs) as analyses, attempt, run, piece_from_ms, piece_to_ms from jobs where state = 'succeeded' order by job_id desc limit ${mostRows}) j
      join attempts a on a.job_id = j.job_id and a.attempt = j.attempt
      join instances i on i.instance_id = a.instance_id
      join media m on m.media_id = j.media_id
      where j.attempt = 1 and a.ended_at > a.started_at`,
  ]);
  return learn(
    instances,
    runs.map((run) => ({ ...run, transferMs: plausible(run.transferMs, run.tookMs) })),
  );
}

/** A worker is a stranger's computer: what it reports is no number until it is seen to be one. */
function plausible(transferMs: unknown, tookMs: number): number | null {
  return typeof transferMs === 'number' && transferMs >= 0 && transferMs <= tookMs ? transferMs : null;
}
