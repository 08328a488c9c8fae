/** A job's row, locked, for a change that its owner asked for. */
import type { Sql, Tx } from '../database.ts';
import { AimaError } from '../errors.ts';
import type { JobState } from './states.ts';

export interface OwnJob {
  jobId: string;
  mediaId: string;
  state: JobState;
  progress: number;
  attempt: number;
  errorCode: string | null;
  errorDetail: string | null;
}

/**
 * A piece of a job that was cut is not by itself to be changed; it goes with its job. Somebody else's job is as unknown as one that does not exist.
 *
 * @throws AimaError `not_found`
 */
export async function lockOwnJob(tx: Tx | Sql, userId: string, jobId: string): Promise<OwnJob> {
  const [job] = await tx<OwnJob[]>`
    select job_id, media_id, state, progress, attempt, error_code, error_detail from jobs
    where job_id = ${jobId} and user_id = ${userId} and parent_job_id is null for update`;
  if (!job) throw new AimaError('not_found', `There is no job ${jobId}.`);
  return job;
}
