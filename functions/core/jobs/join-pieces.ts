/**
 * The end of a job that was cut: when every piece is final, what they found becomes its own result,
 * and it succeeds, or fails as the first of them did that failed and keeps what the others found.
 */

import type { Core } from '../core.ts';
import type { Sql, Tx } from '../database.ts';
import { log } from '../log.ts';
import { readJoined } from '../results/joined.ts';
import { finalJobStates } from './states.ts';

/** Joins all whose pieces are final. @returns their ids; they are to be settled. */
export async function joinReady({ sql }: Pick<Core, 'sql'>): Promise<string[]> {
  const ready = await sql<{ jobId: string }[]>`
    select job_id from jobs p where state = 'split' and ${haveEnded(sql)}`;
  const joined: string[] = [];
  for (const { jobId } of ready) {
    try {
      if (await sql.begin((tx) => join(tx, jobId))) joined.push(jobId);
    } catch (error) {
      // One that cannot be joined must not keep the others waiting; the next sweep tries it again.
      log.error('the pieces of a job cannot be joined', { jobId, error });
    }
  }
  return joined;
}

function haveEnded(sql: Sql | Tx) {
  return sql`not exists (
    select from jobs c where c.parent_job_id = p.job_id and c.piece is not null and c.state <> all (${[...finalJobStates]}))`;
}

/** In one transaction. @returns false where somebody else is at it, or it was moved on meanwhile. */
async function join(tx: Tx, jobId: string): Promise<boolean> {
  const [split] = await tx`
    select from jobs p where job_id = ${jobId} and state = 'split' for update skip locked`;
  // Looked at again under the lock: a person may just have sent a piece back.
  const [ended] = await tx`select from jobs p where job_id = ${jobId} and ${haveEnded(tx)}`;
  if (!split || !ended) return false;
  await keepJoined(tx, jobId);
  const [failed] = await tx<{ errorCode: string | null; errorDetail: string | null }[]>`
    select error_code, error_detail from jobs
    where parent_job_id = ${jobId} and piece is not null and state <> 'succeeded' order by piece limit 1`;
  await tx`
    update jobs set state = ${failed ? 'failed' : 'succeeded'},
      error_code = ${failed ? (failed.errorCode ?? 'internal') : null}, error_detail = ${failed?.errorDetail ?? null}
    where job_id = ${jobId}`;
  return true;
}

/** Writes what the pieces of a job found as its own, in place of what was joined before. The job is locked. */
export async function keepJoined(tx: Tx, jobId: string): Promise<void> {
  const { parts, run } = await readJoined(tx, jobId);
  await tx`delete from parts where job_id = ${jobId}`;
  for (const { analyzer, fromMs, toMs, rows } of parts)
    await tx`
      select save_rows(job_id, ${analyzer}, ${fromMs}, ${toMs}, fence, ${tx.json(rows as never)}) from jobs where job_id = ${jobId}`;
  // Its attempts are those of its pieces; that there were any tells a retry that its file is sound.
  await tx`
    update jobs set run = ${run && tx.json(run as never)}, progress = pieces_progress(job_id),
      attempt = greatest(attempt, (select max(attempt) from jobs c where c.parent_job_id = ${jobId} and c.piece is not null)),
      started_at = (select min(started_at) from jobs c where c.parent_job_id = ${jobId} and c.piece is not null)
    where job_id = ${jobId}`;
}
