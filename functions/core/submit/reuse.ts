/**
 * Nothing is computed twice. When a medium has arrived that its owner has had analysed before (the object
 * store's ETag, a digest of content and part sizes, and the size are the same), what was found then is
 * copied, and only the rest is queued. Where nothing is left the job succeeds at once: no machine, no cost.
 *
 * The job is `awaiting_upload` all the while, where neither planner nor worker looks at it; it moves on
 * afterwards, in one statement that reads what is left from the row itself (arrival.ts). A crash before
 * that leaves a job that the sweep begins again: pictures are copied over themselves, and the rows and
 * what is said of them are replaced in one transaction.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { AnalyzerRun, RunReport } from '../results/run.ts';
import { isPictureName, resultPrefix } from '../storage/prefix.ts';
import { eachOf } from './concurrency.ts';
import type { JobOptions } from './request.ts';
import { type EarlierJob, endedWell, planReuse, type Reuse } from './reuse-plan.ts';

/** Earlier jobs of the same content that are looked at, and last runs among which the current one is sought. */
const mostEarlier = 20;
const mostRuns = 300;
/** Copied one by one in the object store, some milliseconds each: a function must answer soon. */
const mostPictures = 2000;

interface Wanted {
  jobId: string;
  userId: string;
  analyses: string[];
  options: JobOptions;
}

/**
 * Takes over what it can.
 *
 * @param content of the object that has arrived.
 * @returns what is known of the medium from before; null where nothing was taken over.
 */
export async function reuseEarlier(
  core: Core,
  jobId: string,
  content: { etag: string; sizeBytes: number },
): Promise<RunReport['medium']> {
  const [job] = await core.sql<(Wanted & { reuse: boolean; isBegun: boolean })[]>`
    select job_id, user_id, analyses, options, reuse, reused <> '[]' as is_begun
    from jobs where job_id = ${jobId} and state = 'awaiting_upload'`;
  if (!job) return null;
  const planned = job.reuse ? await plan(core, job, content) : [];
  const names = await picturesOf(core, planned);
  const taken = names.length <= mostPictures ? planned : [];
  if (taken.length === 0 && !job.isBegun) return null;
  await eachOf(taken.length > 0 ? names : [], ({ from, name }) => copyPicture(core, from, jobId, name));
  await core.sql.begin((tx) => copyRows(tx, job, taken));
  await dropUnused(core, jobId, taken.length > 0 ? names : []);
  return taken[0]?.from.medium ?? null;
}

async function plan(
  { sql }: Core,
  job: Wanted,
  { etag, sizeBytes }: { etag: string; sizeBytes: number },
): Promise<Reuse[]> {
  const rows = await sql<{ jobId: string; options: JobOptions; run: unknown; reused: unknown }[]>`
    select j.job_id, j.options, j.run, j.reused from jobs j join media m using (media_id)
    where m.user_id = ${job.userId} and m.etag = ${etag} and m.size_bytes = ${sizeBytes} and j.user_id = ${job.userId}
      and j.state = 'succeeded' and j.parent_job_id is null and j.run is not null
    order by j.job_id desc limit ${mostEarlier}`;
  const earlier = rows.flatMap(({ jobId, options, run, reused }): EarlierJob[] => {
    // A rented machine wrote it.
    const report = RunReport.safeParse(run).data;
    const before = AnalyzerRun.array().safeParse(reused).data ?? [];
    if (!report?.medium) return [];
    const { medium, damages, analyzers } = report;
    return [{ jobId, options, medium, damages, runs: [...analyzers, ...before] }];
  });
  return earlier.length === 0 ? [] : planReuse(job, earlier, await latestRuns(sql, job.analyses));
}

/** What ran last and ended well, of each analysis, on whosever behalf: what is current. */
async function latestRuns(sql: Core['sql'], analyses: string[]): Promise<Map<string, AnalyzerRun>> {
  const rows = await sql<{ run: unknown }[]>`
    select a as run
    from (select run, finished_at from jobs where state = 'succeeded' and attempt > 0 order by finished_at desc limit ${mostRuns}) j,
      jsonb_path_query(j.run, '$.analyzers[*]') as a
    where a ->> 'name' = any (${analyses}) order by j.finished_at desc`;
  const runs = rows.flatMap(({ run }) => AnalyzerRun.safeParse(run).data ?? []).filter(endedWell);
  // One that was skipped says nothing of the models: it counts where there is no other.
  const inTurn = [
    ...runs.filter(({ status }) => status === 'skipped').toReversed(),
    ...runs.filter(({ status }) => status !== 'skipped').toReversed(),
  ];
  return new Map(inTurn.map((run) => [run.name, run]));
}

interface Picture {
  from: string;
  name: string;
}

async function picturesOf({ sql }: Core, planned: Reuse[]): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const [jobId, analyses] of bySource(planned)) {
    const rows = await sql<{ name: string }[]>`
      select distinct r ->> 'thumbnail' as name
      from result_parts(${jobId}) p, jsonb_array_elements(p.rows) r
      where p.analyzer = any (${analyses}) and r ->> 'thumbnail' is not null`;
    pictures.push(
      ...rows.filter(({ name }) => isPictureName(name)).map(({ name }) => ({ from: jobId, name })),
    );
  }
  return pictures;
}

/** Names of the analyses by the job that they are taken from. */
function bySource(planned: Reuse[]): [string, string[]][] {
  return [...Map.groupBy(planned, ({ from }) => from.jobId)].map(([jobId, same]) => [
    jobId,
    same.map(({ run }) => run.name),
  ]);
}

/** One that is gone is missing in both results then. */
async function copyPicture({ bucket }: Core, from: string, to: string, name: string): Promise<void> {
  try {
    await bucket.copy(resultPrefix(from) + name, resultPrefix(to) + name);
  } catch (error) {
    if (!['NoSuchKey', 'NotFound'].includes((error as { code?: string }).code ?? '')) throw error;
  }
}

/** In one transaction, in place of what an earlier look has copied. */
async function copyRows(tx: Tx, job: Wanted, planned: Reuse[]): Promise<void> {
  const [waiting] = await tx`
    select from jobs where job_id = ${job.jobId} and state = 'awaiting_upload' for update`;
  if (!waiting) return;
  // Shared: two may copy from one at the same time, but nobody deletes it meanwhile.
  const sources = await tx<{ jobId: string }[]>`
    select job_id from jobs where job_id = any (${planned.map(({ from }) => from.jobId)}) and state = 'succeeded' for share`;
  const there = planned.filter(({ from }) => sources.some((source) => source.jobId === from.jobId));
  await tx`delete from parts where job_id = ${job.jobId}`;
  for (const [jobId, analyses] of bySource(there))
    await tx`
      select save_rows(${job.jobId}, analyzer, from_ms, to_ms, 0, rows) from result_parts(${jobId})
      where analyzer = any (${analyses})`;
  const reused = there.map(({ run, from }) => ({ ...run, reusedFrom: from.jobId }));
  await tx`update jobs set reused = ${tx.json(reused as never)}, run = null where job_id = ${job.jobId}`;
  await tx`
    update jobs j set run = ${there.length > 0 ? tx.json(reportOf(there[0]!.from) as never) : null}
    where job_id = ${job.jobId} and analyses_left(j) = '{}'`;
}

/** Of a job in which nothing ran. */
function reportOf({ medium, damages }: EarlierJob): RunReport {
  const startedAt = new Date().toISOString();
  return { startedAt, wallMs: 0, device: 'none', worker: 'none', medium, damages, analyzers: [] };
}

/** Whoever was deleted from the earlier job while its pictures were copied is not to stay in this one. */
async function dropUnused({ sql, bucket }: Core, jobId: string, copied: Picture[]): Promise<void> {
  if (copied.length === 0) return;
  const [job] = await sql<{ names: string[] }[]>`
    select array(select distinct r ->> 'thumbnail' from result_parts(job_id) p, jsonb_array_elements(p.rows) r
      where r ->> 'thumbnail' is not null) as names
    from jobs where job_id = ${jobId}`;
  const used = new Set(job?.names ?? []);
  const unused = copied.filter(({ name }) => !used.has(name));
  await eachOf(unused, ({ name }) => bucket.remove(resultPrefix(jobId) + name));
}
