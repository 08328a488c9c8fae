/** What a retry of a job that was cut does to its pieces. */
import type { Tx } from '../database.ts';

/**
 * Sends those that failed or were canceled back to the queue, each to go on after its last saved part;
 * the others keep what they found. What its limit has left goes to those by their length. From scratch
 * there are no pieces any more: the job is planned, and cut, as if it were new. Their rows stay for what
 * they have cost.
 *
 * @param options.freshAttempts how often a worker may try each after that.
 * @returns whether it has pieces still. The job is locked.
 */
export async function retryPieces(
  tx: Tx,
  jobId: string,
  options: { fromScratch: boolean; maxCostMicrodollars: number | undefined; freshAttempts: number },
): Promise<boolean> {
  if (options.fromScratch) {
    await tx`delete from parts where job_id in (select job_id from jobs where parent_job_id = ${jobId})`;
    await tx`update jobs set piece = null where parent_job_id = ${jobId} and piece is not null`;
    return false;
  }
  const [piece] = await tx`select from jobs where parent_job_id = ${jobId} and piece is not null limit 1`;
  if (!piece) return false;
  await tx`
    with again as (
      select job_id, job_cost(job_id) as spent,
        (piece_to_ms - piece_from_ms)::float8 / sum(piece_to_ms - piece_from_ms) over () as share
      from jobs where parent_job_id = ${jobId} and piece is not null and state in ('failed', 'canceled')
    ), limits as (
      select coalesce(${options.maxCostMicrodollars ?? null}, max_cost_microdollars) - job_cost(job_id) as left_over
      from jobs where job_id = ${jobId}
    )
    update jobs j set state = 'queued', queued_at = null, not_before_at = null,
      max_attempts = j.attempt + ${options.freshAttempts}, error_code = null, error_detail = null, run = null,
      max_cost_microdollars = spent + floor(left_over * share)::bigint
    from again, limits where j.job_id = again.job_id`;
  return true;
}
