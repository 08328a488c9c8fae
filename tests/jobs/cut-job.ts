/** Cuts a job as the planner cuts one of a long medium. */
import type { Core } from '../../functions/core/core.ts';
import { splitLongJobs } from '../../functions/core/jobs/split.ts';
import { readSituation } from '../../functions/core/planner/snapshot.ts';

/** @returns the ids of its pieces of at most 30 s, in their order. */
export async function cutJob(core: Core, jobId: string): Promise<string[]> {
  const quote = {
    ...{ minMicrodollars: 1, maxMicrodollars: 1, expectedMicrodollars: 1 },
    ...{ minMinutes: 1, maxMinutes: 1, expectedMinutes: 1 },
    ...{ offersConsidered: 1, basedOn: { runs: 0 }, because: '' },
  };
  await core.sql`update jobs set quote = ${core.sql.json(quote)} where job_id = ${jobId}`;
  await core.sql.begin(async (tx) =>
    splitLongJobs(tx, await readSituation(core, tx, [], { isLocking: true }), 30_000),
  );
  const pieces = await core.sql<{ jobId: string }[]>`
    select job_id from jobs where parent_job_id = ${jobId} order by piece`;
  return pieces.map((piece) => piece.jobId);
}
