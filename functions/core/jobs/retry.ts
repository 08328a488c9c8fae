/**
 * A person sends a failed or canceled job back to the queue, or lets one go on that waited for a
 * word. A retried job goes on after its last saved part unless it is to begin anew.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { AimaError } from '../errors.ts';
import { dollars } from '../money.ts';
import { findStored } from './medium.ts';
import { lockOwnJob, type OwnJob } from './own.ts';
import { retryPieces } from './retry-pieces.ts';
import type { JobState } from './states.ts';

/** How often a worker may try it after that. */
const freshAttempts = 3;

/**
 * @param options.fromScratch forgets what earlier attempts saved.
 * @param options.maxCostMicrodollars replaces its limit, which counts what it has cost already.
 * @throws AimaError `not_found`; `wrong_state` where it is neither failed nor canceled, or its medium is gone;
 *   `budget_exceeded` where it would be stopped at once.
 */
export async function retryJob(
  core: Core,
  userId: string,
  jobId: string,
  options: { fromScratch?: boolean; maxCostMicrodollars?: number | undefined } = {},
): Promise<void> {
  // Before the transaction: no lock is held while the object store is asked.
  const stored = await findStored(core, userId, jobId);
  const job = await core.sql.begin(async (tx) => {
    const locked = await lockOwnJob(tx, userId, jobId);
    checkRetry(locked, stored !== null);
    await checkLimit(tx, jobId, options.maxCostMicrodollars);
    const { fromScratch = false, maxCostMicrodollars } = options;
    if (fromScratch) await tx`delete from parts where job_id = ${jobId}`;
    const isSplit = await retryPieces(tx, jobId, { fromScratch, maxCostMicrodollars, freshAttempts });
    const [again] = await tx<Pick<OwnJob, 'state' | 'progress'>[]>`
      update jobs set state = ${isSplit ? 'split' : 'queued'}, queued_at = null, not_before_at = null, max_attempts = attempt + ${freshAttempts},
        error_code = null, error_detail = null, run = null,
        progress = case when ${fromScratch} then 0 else progress end,
        reused = case when ${fromScratch} then '[]' else reused end,
        max_cost_microdollars = coalesce(${maxCostMicrodollars ?? null}, max_cost_microdollars)
      where job_id = ${jobId} returning state, progress`;
    return { ...locked, ...again! };
  });
  tellBack(core, userId, job);
}

/** What a job with a limit has cost stays on its account. */
async function checkLimit(tx: Tx, jobId: string, raised: number | undefined): Promise<void> {
  const [over] = await tx<{ spent: number; most: number }[]>`
    select job_cost(job_id) as spent, coalesce(${raised ?? null}, max_cost_microdollars) as most
    from jobs where job_id = ${jobId} and job_cost(job_id) >= coalesce(${raised ?? null}, max_cost_microdollars)`;
  if (over)
    throw new AimaError(
      'budget_exceeded',
      `The job has cost ${dollars(over.spent)} of at most ${dollars(over.most)}: give it a higher maxCostMicrodollars.`,
    );
}

/** Errors that ended it before any worker began it, and say nothing of its file. */
const notTheFiles = ['budget_exceeded', 'worker_lost'];

function checkRetry({ state, attempt, errorCode, errorDetail }: OwnJob, isStored: boolean): void {
  if (state !== 'failed' && state !== 'canceled') {
    throw new AimaError('wrong_state', `The job is ${state}: only a failed or canceled one can be retried.`);
  }
  // No worker has seen it: the look at the file on its arrival refused it, and would again.
  if (state === 'failed' && attempt === 0 && !notTheFiles.includes(errorCode ?? ''))
    throw new AimaError('wrong_state', `The file cannot be analysed. ${errorDetail ?? ''}`.trimEnd());
  if (!isStored) throw new AimaError('wrong_state', 'The file is not stored here: submit it again.');
}

/**
 * "Go on although it costs more." Once it has gone on, saying it again changes nothing.
 *
 * @throws AimaError `not_found`; `wrong_state` where it waits for something else or has ended.
 */
export async function confirmJob(core: Core, userId: string, jobId: string): Promise<void> {
  const job = await core.sql.begin(async (tx) => {
    const locked = await lockOwnJob(tx, userId, jobId);
    if (['queued', 'assigned', 'running'].includes(locked.state)) return null;
    if (locked.state === 'split') return (await confirmPieces(tx, jobId)) ? locked : null;
    if (locked.state !== 'awaiting_confirmation')
      throw new AimaError('wrong_state', `The job is ${locked.state}: there is nothing to confirm.`);
    // What was agreed to is the most that the quote said: beyond that he is asked again.
    await tx`
      update jobs set state = 'queued', confirmed_microdollars = (quote ->> 'maxMicrodollars')::bigint
      where job_id = ${jobId}`;
    return { ...locked, state: 'queued' as const };
  });
  if (job) tellBack(core, userId, job);
}

/** Pieces that have become dearer than the whole was to be. */
async function confirmPieces(tx: Tx, jobId: string): Promise<boolean> {
  const confirmed = await tx`
    update jobs set state = 'queued', confirmed_microdollars = (quote ->> 'maxMicrodollars')::bigint
    where parent_job_id = ${jobId} and state = 'awaiting_confirmation' returning job_id`;
  return confirmed.length > 0;
}

function tellBack(
  { publisher }: Core,
  userId: string,
  { jobId, state, progress }: { jobId: string; state: JobState; progress: number },
): void {
  publisher.jobsQueued([jobId]);
  publisher.userJob(userId, { jobId, state, progress });
}
