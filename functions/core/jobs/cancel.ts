/**
 * Canceling: possible in every state but the final ones. The job leaves its instance in the same
 * statement, so the worker learns from its next heartbeat, or from whatever it wants to save, that
 * the job is no longer its own; the planner ends the instance where nothing is left for it.
 * What was saved until then stays readable.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { AimaError } from '../errors.ts';
import { log } from '../log.ts';
import { keepJoined } from './join-pieces.ts';
import { lockOwnJob, type OwnJob } from './own.ts';
import { settleJobs } from './settle.ts';
import { finalJobStates, type JobState } from './states.ts';

/**
 * A second time changes nothing.
 *
 * @throws AimaError `not_found`; `wrong_state` where it has ended otherwise.
 */
export async function cancelJob(core: Core, userId: string, jobId: string): Promise<void> {
  const job = await core.sql.begin(async (tx) => {
    const locked = await lockOwnJob(tx, userId, jobId);
    if (locked.state !== 'canceled') {
      if (isFinal(locked.state))
        throw new AimaError('wrong_state', `The job is ${locked.state}: there is nothing to cancel.`);
      await markCanceled(tx, jobId);
      if (locked.state === 'split') await keepJoined(tx, jobId);
    }
    return locked;
  });
  await afterCancel(core, job);
  await settleJobs(core, { jobId });
}

export function isFinal(state: JobState): boolean {
  return (finalJobStates as readonly JobState[]).includes(state);
}

/** For a job that is locked and not final; with its pieces. */
export async function markCanceled(tx: Tx, jobId: string): Promise<void> {
  const canceled = await tx<{ jobId: string }[]>`
    update jobs set state = 'canceled', instance_id = null, error_code = null, error_detail = null
    where (job_id = ${jobId} or parent_job_id = ${jobId}) and state <> all (${[...finalJobStates]}) returning job_id`;
  // Now and not when it is settled: what it costs ends here.
  await tx`
    update attempts set ended_at = clock_timestamp(), outcome = 'canceled'
    where job_id in ${tx(canceled.map((row) => row.jobId))} and ended_at is null`;
}

/** What need not be in the transaction: the sweep does it too. @param job as it was before. */
export async function afterCancel(core: Core, job: OwnJob): Promise<void> {
  if (job.state === 'awaiting_upload') await abandonUpload(core, job.mediaId);
  else if (!isFinal(job.state)) core.publisher.jobsQueued([]);
}

/** The parts of an upload that no job waits for any more. */
async function abandonUpload({ sql, bucket }: Core, mediaId: string): Promise<void> {
  const [upload] = await sql<{ objectKey: string; uploadId: string }[]>`
    select object_key, upload_id from media m
    where media_id = ${mediaId} and upload_id is not null
      and not exists (select from jobs j where j.media_id = m.media_id and j.state = 'awaiting_upload')`;
  if (!upload) return;
  try {
    await bucket.abortMultipart(upload.objectKey, upload.uploadId);
  } catch (error) {
    log.warn('an upload is left to the sweep', { mediaId, error });
  }
}
