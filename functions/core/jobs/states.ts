/**
 * The states of a job, and who moves it:
 *
 * - `awaiting_upload`: announced; its medium is not in the object store yet. submit-job moves it
 *   on when the bucket says so, to `succeeded` where all of it was found before (submit/reuse.ts); the sweep when that event was lost; after a day it is `expired`.
 * - `awaiting_confirmation`: costs more than may be spent unasked, or by now more than was agreed to.
 *   A person moves it on.
 * - `queued`: the planner may give it to an instance, or ask a person first.
 * - `assigned`: it belongs to one lease, whose worker has not begun it.
 * - `running`: that worker has claimed it and saves results as they come.
 * - `split`: its medium is cut over several instances; its pieces are jobs of their own (split.ts).
 * - `succeeded`, `failed`, `canceled`, `expired`: final. What was saved stays readable. A person
 *   may send a failed or canceled job back to `queued`, or to `split` where it was cut; it goes on
 *   after its last saved part.
 *
 * A lost worker puts `assigned` and `running` back to `queued` until attempts are used up; a job
 * that was only assigned has used none.
 *
 * This table is the only declaration: it is written to the database at every start, where a
 * trigger refuses every other step.
 */
export const jobTransitions = {
  '': ['awaiting_upload', 'queued', 'failed'],
  awaiting_upload: ['awaiting_confirmation', 'queued', 'succeeded', 'failed', 'canceled', 'expired'],
  awaiting_confirmation: ['queued', 'canceled', 'expired'],
  queued: ['assigned', 'split', 'awaiting_confirmation', 'failed', 'canceled'],
  assigned: ['running', 'queued', 'failed', 'canceled'],
  running: ['succeeded', 'failed', 'canceled', 'queued'],
  split: ['succeeded', 'failed', 'canceled'],
  succeeded: [],
  failed: ['queued', 'split'],
  canceled: ['queued', 'split'],
  expired: [],
} as const satisfies Record<string, readonly string[]>;

export type JobState = Exclude<keyof typeof jobTransitions, ''>;

/** States nothing but a person moves a job out of. */
export const finalJobStates = ['succeeded', 'failed', 'canceled', 'expired'] as const satisfies JobState[];

export const jobStates = Object.keys(jobTransitions).filter((state): state is JobState => state !== '');
