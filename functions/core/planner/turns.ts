/**
 * Whose turn it is. Users first take turns, each job that one holds already counting as a turn had;
 * so a user's five hundred jobs stand behind the first of every other. Among the jobs of one user,
 * and between users in the same round, the higher priority goes first, then who waits longer.
 *
 * Priority is not put before fairness: everybody sets his own.
 */

export interface Waiting {
  jobId: string;
  userId: string;
  priority: number;
  queuedAtMs: number;
}

/**
 * A job gains one step of priority for each ten minutes that it waits. Priorities go from -10 to 10,
 * so after 200 minutes the lowest stands before the highest that has just come.
 */
export const agingStepMs = 600_000;

/**
 * Pure; the order in which the jobs are listed changes nothing.
 *
 * @param holding how many jobs each user has on machines now.
 */
export function inTurn<T extends Waiting>(
  jobs: readonly T[],
  holding: Record<string, number>,
  nowMs: number,
): T[] {
  const had = new Map(Object.entries(holding));
  return jobs
    .map((job) => ({ job, priority: aged(job, nowMs) }))
    .sort(byUrgency)
    .map((one) => {
      const round = had.get(one.job.userId) ?? 0;
      had.set(one.job.userId, round + 1);
      return { ...one, round };
    })
    .sort((a, b) => a.round - b.round || byUrgency(a, b))
    .map(({ job }) => job);
}

function aged({ priority, queuedAtMs }: Waiting, nowMs: number): number {
  return priority + Math.floor(Math.max(0, nowMs - queuedAtMs) / agingStepMs);
}

interface Ranked {
  job: Waiting;
  priority: number;
}

/** The id only makes it deterministic. */
function byUrgency(a: Ranked, b: Ranked): number {
  return (
    b.priority - a.priority || a.job.queuedAtMs - b.job.queuedAtMs || (a.job.jobId < b.job.jobId ? -1 : 1)
  );
}
