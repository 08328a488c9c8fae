/**
 * Settling: what follows once from a job's end. The job is final already, by the worker's own
 * transaction or a person's; here its document is kept, its cost by now is noted, its webhook is
 * queued and the world is told. `settled_at` is written in the same transaction, so that it
 * happens once however often it is asked for; a crash before the commit leaves it to the sweep.
 *
 * A piece of a long medium is settled silently: its cost is noted, and the owner hears how far the
 * whole job is. When the last of them has ended, the job is joined here and settled as any other.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { log } from '../log.ts';
import { groupPeople } from '../people/group.ts';
import { buildDocument } from '../results/document.ts';
import { queueWebhook } from '../webhooks/queue.ts';
import { joinReady } from './join-pieces.ts';

interface Unsettled {
  jobId: string;
  userId: string;
  /** Of a piece. */
  parentJobId: string | null;
  state: string;
  progress: number;
  callbackUrl: string | null;
}

/** Settles what is final, oldest first. @returns the jobs that were settled now. */
export async function settleJobs(
  core: Core,
  options: { jobId?: string; most?: number } = {},
): Promise<string[]> {
  const settled = await settleFinal(core, options);
  for (const jobId of await joinReady(core)) settled.push(...(await settleFinal(core, { jobId })));
  return settled;
}

async function settleFinal(core: Core, options: { jobId?: string; most?: number }): Promise<string[]> {
  const settled: string[] = [];
  const seen: string[] = [];
  for (const most = options.most ?? 100; seen.length < most; ) {
    const tried = seen.length;
    let job: Unsettled | null;
    try {
      job = await settleNext(core, options.jobId, seen);
    } catch (error) {
      if (seen.length === tried) throw error;
      // One that cannot be settled must not keep the others waiting; the next sweep tries it again.
      log.error('a job cannot be settled', { jobId: seen.at(-1), error });
      continue;
    }
    if (!job) break;
    settled.push(job.jobId);
    if (job.parentJobId) {
      await tellProgress(core, job.parentJobId);
      continue;
    }
    core.publisher.jobSettled(job.jobId, job.state);
    core.publisher.userJob(job.userId, job);
  }
  return settled;
}

/** @param seen jobs to leave out; the one that is tried is added before anything can go wrong with it. */
async function settleNext(core: Core, only: string | undefined, seen: string[]): Promise<Unsettled | null> {
  return core.sql.begin(async (tx) => {
    const [job] = await tx<Unsettled[]>`
      select job_id, user_id, parent_job_id, state, progress, callback_url from jobs
      where settled_at is null and state in ('succeeded', 'failed', 'canceled', 'expired')
        and (${only ?? null}::text is null or job_id = ${only ?? null}) and job_id <> all (${seen})
      order by finished_at limit 1 for update skip locked`;
    if (!job) return null;
    seen.push(job.jobId);
    await tx`
      update attempts set
        ended_at = coalesce(ended_at, clock_timestamp()),
        outcome = coalesce(outcome, 'canceled')
      where job_id = ${job.jobId} and (ended_at is null or outcome is null)`;
    // What it has cost by now: the last word comes when its instance is gone (ledger/charges.ts).
    await tx`
      update jobs set settled_at = clock_timestamp(), cost_microdollars = job_cost(job_id) where job_id = ${job.jobId}`;
    await tx`delete from job_access where job_id = ${job.jobId}`;
    if (job.parentJobId) return job;
    const document = await buildDocument(tx, job.jobId);
    await tx`
      insert into documents (job_id, document) values (${job.jobId}, ${tx.json(document)})
      on conflict (job_id) do update set document = excluded.document, created_at = now()`;
    if (document.people !== null) await findPeople(tx, job);
    if (job.callbackUrl) await queueWebhook(tx, job.jobId, job.callbackUrl);
    return job;
  });
}

/** A library that cannot take them must not keep the job from being settled. Nothing of a face gets into a log. */
async function findPeople(tx: Tx, { jobId, userId }: Unsettled): Promise<void> {
  try {
    await tx.savepoint((inner) => groupPeople(inner, userId, jobId));
  } catch (error) {
    log.error('the people of a job are not in the library', {
      jobId,
      code: (error as { code?: string }).code ?? 'error',
    });
  }
}

async function tellProgress({ sql, publisher }: Core, jobId: string): Promise<void> {
  const [split] = await sql<{ userId: string; state: string; progress: number }[]>`
    select user_id, state, pieces_progress(job_id) as progress from jobs where job_id = ${jobId} and state = 'split'`;
  if (split) publisher.userJob(split.userId, { jobId, state: split.state, progress: split.progress });
}
