/**
 * A long medium over several instances. Where the policy says so (AIMA_SPLIT_ABOVE_MINUTES), a queued
 * job is cut into pieces before the planner looks for a machine: jobs of their own, each of which owns
 * a stretch of the same medium. Planning, claims, attempts, budgets and resuming need nothing new: a
 * piece is queued, rented for, lost and tried again like any job. The job itself is `split` meanwhile;
 * it has no instance, and its progress is that of its pieces.
 *
 * A piece is analysed with some seconds of its neighbours' time on both sides, so that its analyzers
 * have settled where its own time begins, and so that both sides of a cut have heard and seen the same
 * there. When all pieces are final their results are joined without seams (join-pieces.ts,
 * results/merge/merge.ts). To their owner pieces are not jobs: they are in no list, and tell nobody
 * when they end; what they cost is what the job costs.
 */
import type { Tx } from '../database.ts';
import { newId } from '../ids.ts';
import { needsConfirmation } from '../planner/quote.ts';
import type { Situation } from '../planner/situation.ts';

/**
 * Analysed beyond what a piece owns, on each side. About 25 words are said in it, of which a few must
 * be heard from both sides; trackers forget after 1.5 to 2.5 s, a scene has its picture after 2 s. It
 * costs 20 s of work a piece: 1 % of half an hour.
 */
export const overlapMs = 10_000;

/** A stretch of a medium: [fromMs, toMs). */
export interface Stretch {
  fromMs: number;
  toMs: number;
}

/**
 * Stretches of equal length, as few as keep each within `longestMs`, at most `mostPieces`. None is
 * shorter than the overlaps on its two sides, or three pieces would see the same.
 */
export function cut(
  durationMs: number,
  { longestMs, mostPieces }: { longestMs: number; mostPieces: number },
): Stretch[] {
  const most = Math.min(mostPieces, Math.floor(durationMs / (2 * overlapMs)));
  const count = Math.max(1, Math.min(Math.ceil(durationMs / longestMs), most));
  const at = (index: number) => Math.round((durationMs * index) / count);
  return Array.from({ length: count }, (_, index) => ({ fromMs: at(index), toMs: at(index + 1) }));
}

/**
 * Cuts the jobs that are longer than `splitAboveMs` and begin from the start. A job that a person must
 * agree to first is asked about as a whole, and cut when he has agreed; until it has a quote nobody
 * knows, and there is no machine for it anyway.
 *
 * @param tx of the planner, in which `situation` was read and its jobs are locked.
 * @param splitAboveMs 0: never.
 * @returns whether there is something else in the queue now.
 */
export async function splitLongJobs(tx: Tx, situation: Situation, splitAboveMs: number): Promise<boolean> {
  const { jobs, policy, held } = situation;
  if (splitAboveMs === 0 || held) return false;
  let isCut = false;
  for (const job of jobs) {
    if ((job.durationMs ?? 0) <= splitAboveMs || job.isInDoubt) continue;
    if (job.quote === null || needsConfirmation(job, 0, policy)) continue;
    const stretches = cut(job.durationMs!, { longestMs: splitAboveMs, mostPieces: policy.maxInstances });
    if (stretches.length === 1 || !(await isWhole(tx, job.jobId))) continue;
    // Nobody is asked about a piece alone while it costs no more than the whole was to cost.
    const agreed = Math.max(
      job.confirmedMicrodollars ?? job.quote.maxMicrodollars,
      policy.confirmAboveMicrodollars,
    );
    for (const [index, stretch] of stretches.entries())
      await insertPiece(tx, job.jobId, index + 1, stretch, {
        share: (stretch.toMs - stretch.fromMs) / job.durationMs!,
        agreedMicrodollars: Math.min(agreed, Number.MAX_SAFE_INTEGER),
      });
    await tx`update jobs set state = 'split', expected_start_at = null where job_id = ${job.jobId}`;
    isCut = true;
  }
  return isCut;
}

/** Whether a job can be cut: it is no piece, it has sound or moving pictures to analyse, and nothing is saved of it. */
async function isWhole(tx: Tx, jobId: string): Promise<boolean> {
  const [whole] = await tx`
    select from jobs join media using (media_id)
    where job_id = ${jobId} and parent_job_id is null and kind in ('audio', 'video') and analyses <> '{metadata}'
      and not exists (select from parts p where p.job_id = jobs.job_id)`;
  return whole !== undefined;
}

async function insertPiece(
  tx: Tx,
  jobId: string,
  piece: number,
  { fromMs, toMs }: Stretch,
  { share, agreedMicrodollars }: { share: number; agreedMicrodollars: number },
): Promise<void> {
  await tx`
    insert into jobs (job_id, parent_job_id, piece, piece_from_ms, piece_to_ms, overlap_ms, user_id, batch_id, media_id,
      state, analyses, options, priority, deadline_at, queued_at, confirmed_microdollars, max_cost_microdollars)
    select ${newId()}, job_id, ${piece}, ${fromMs}, ${toMs}, ${overlapMs}, user_id, batch_id, media_id,
      'queued', analyses_left(jobs), options, priority, deadline_at, queued_at, ${agreedMicrodollars},
      floor(max_cost_microdollars * ${share}::float8)::bigint
    from jobs where job_id = ${jobId}`;
}
