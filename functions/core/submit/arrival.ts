/**
 * An object is in the bucket: look at it and move the jobs that wait for it on.
 *
 * Called for each event of the object store, by submit and complete when they know already, and by
 * the sweep when an event was lost. What the event says beside the key is not used: the object
 * itself is asked, and the jobs only move from `awaiting_upload`, in one statement, so that an event
 * that comes twice, late or wrong changes nothing.
 *
 * Round trips count here, since an upload's end is what a person waits from: the waiting jobs, the
 * object's size and its first bytes are asked for at the same time, and small files need no more.
 */
import type { Core } from '../core.ts';
import { AimaError, type ErrorCode } from '../errors.ts';
import { ANALYSES, type AnalysisName, applies, type MediaKind } from '../jobs/analyses.ts';
import { settleJobs } from '../jobs/settle.ts';
import { headBytes, type MediumFacts, probe } from '../media/probe.ts';
import type { RunReport } from '../results/run.ts';
import { inboxPrefix, type ObjectInfo } from '../storage/bucket.ts';
import { makeInboxJob } from './inbox.ts';
import { reuseEarlier } from './reuse.ts';

export interface ArrivedObject {
  /** As it is in the bucket, not escaped. */
  key: string;
}

/** `missing`: there is no such object. `known`: nothing waits for it. */
export type Arrival = 'missing' | 'known' | 'looked_at';

interface WaitingMedium extends MediumFacts {
  mediaId: string;
  etag: string | null;
  uploadedAt: Date | null;
  jobs: { jobId: string; analyses: string[] }[];
}

interface Verdict {
  jobId: string;
  state: 'queued' | 'failed';
  errorCode?: ErrorCode;
  errorDetail?: string;
}

/** @throws where the object store or the database does not answer: then nothing was changed. */
export async function mediaArrived(core: Core, { key }: ArrivedObject): Promise<Arrival> {
  const [found, info, head] = await Promise.all([
    findWaiting(core, key),
    core.bucket.stat(key),
    readHead(core, key),
  ]);
  if (!info) return 'missing';
  const isNew = !found && key.startsWith(inboxPrefix) && (await makeInboxJob(core, key, info));
  const medium = isNew ? await findWaiting(core, key) : found;
  if (!medium) return 'known';

  const isProbed = medium.uploadedAt !== null && medium.kind !== null && medium.etag === info.etag;
  const looked = isProbed ? medium : await examine(core, key, info, head);
  const verdicts = medium.jobs.map((job) => judge(job, looked));
  let facts = looked instanceof AimaError ? null : looked;
  for (const { jobId, state } of verdicts) {
    if (state === 'queued') facts = withEarlier(facts, await reuseEarlier(core, jobId, info));
  }
  await moveOn(core, medium.mediaId, info, facts, verdicts);
  return 'looked_at';
}

async function findWaiting({ sql }: Core, key: string): Promise<WaitingMedium | null> {
  const [medium] = await sql<WaitingMedium[]>`
    select m.media_id, m.etag, m.uploaded_at, m.kind, m.content_type, m.duration_ms, m.width, m.height,
      jsonb_agg(jsonb_build_object('jobId', j.job_id, 'analyses', j.analyses)) as jobs
    from media m join jobs j using (media_id)
    where m.object_key = ${key} and m.deleted_at is null and j.state = 'awaiting_upload'
    group by m.media_id`;
  return medium ?? null;
}

/** Empty where there is nothing to read: what the object is then, its size tells. */
async function readHead({ bucket }: Core, key: string): Promise<Buffer> {
  try {
    return await bucket.read(key, 0, headBytes);
  } catch (error) {
    if (['NoSuchKey', 'NotFound', 'InvalidRange'].includes((error as { code?: string }).code ?? ''))
      return Buffer.alloc(0);
    throw error;
  }
}

/** What the medium is, or why it cannot be analysed. */
async function examine(
  core: Core,
  key: string,
  info: ObjectInfo,
  head: Buffer,
): Promise<MediumFacts | AimaError> {
  const most = core.config.AIMA_MAX_MEDIUM_BYTES;
  if (info.sizeBytes > most) {
    await core.bucket.remove(key);
    return new AimaError(
      'media_too_large',
      `The file has ${info.sizeBytes} bytes; at most ${most} are taken.`,
    );
  }
  try {
    const fetchRange = (start: number, end: number) => core.bucket.read(key, start, end);
    return await probe({ sizeBytes: info.sizeBytes, head, fetchRange });
  } catch (error) {
    if (error instanceof AimaError) return error;
    throw error;
  }
}

function judge(job: { jobId: string; analyses: string[] }, looked: MediumFacts | AimaError): Verdict {
  const { jobId, analyses } = job;
  if (looked instanceof AimaError)
    return { jobId, state: 'failed', errorCode: looked.code, errorDetail: looked.detail };
  if (looked.kind === null || applies(analyses, looked.kind)) return { jobId, state: 'queued' };
  return {
    jobId,
    state: 'failed',
    errorCode: 'unsupported_media',
    errorDetail: noneApplies(analyses, looked.kind),
  };
}

/** Whoever decoded the same content before knows more of it than its headers tell. */
function withEarlier(facts: MediumFacts | null, known: RunReport['medium']): MediumFacts | null {
  if (!facts || !known) return facts;
  const { kind, durationMs, width, height } = known;
  return { ...facts, kind, durationMs, width: width ?? facts.width, height: height ?? facts.height };
}

const KIND_NAMES: Record<MediaKind, string> = {
  image: 'a picture',
  audio: 'sound without pictures',
  video: 'a film',
};

function noneApplies(analyses: string[], kind: MediaKind): string {
  const possible = Object.keys(ANALYSES).filter((name) => applies([name as AnalysisName], kind));
  return `The file is ${KIND_NAMES[kind]}: ${analyses.join(', ')} cannot be done with it. Possible are ${possible.join(', ')}.`;
}

async function moveOn(
  core: Core,
  mediaId: string,
  { sizeBytes, etag, contentType }: ObjectInfo,
  facts: MediumFacts | null,
  verdicts: Verdict[],
): Promise<void> {
  const { sql, publisher } = core;
  const moved = await sql<{ jobId: string; userId: string; state: string }[]>`
    with medium as (
      update media set size_bytes = ${sizeBytes}, etag = ${etag}, kind = ${facts?.kind ?? null},
        content_type = coalesce(${facts?.contentType ?? null}, content_type, ${contentType}),
        duration_ms = ${facts?.durationMs ?? null}, width = ${facts?.width ?? null}, height = ${facts?.height ?? null},
        uploaded_at = coalesce(uploaded_at, now()), upload_id = null, fetch_state = null, next_look_at = null
      where media_id = ${mediaId} and deleted_at is null
      returning media_id
    )
    update jobs j set state = case when v.state = 'queued' and analyses_left(j) = '{}' then 'succeeded' else v.state end,
      progress = case when v.state = 'queued' and analyses_left(j) = '{}' then 1 else progress end,
      error_code = v."errorCode", error_detail = v."errorDetail"
    from medium m, jsonb_to_recordset(${sql.json(verdicts as never)})
      as v ("jobId" text, state text, "errorCode" text, "errorDetail" text)
    where j.job_id = v."jobId" and j.media_id = m.media_id and j.state = 'awaiting_upload'
    returning j.job_id, j.user_id, j.state`;
  const queued = moved.filter((job) => job.state === 'queued');
  if (queued.length > 0) publisher.jobsQueued(queued.map((job) => job.jobId));
  for (const job of queued) publisher.userJob(job.userId, { ...job, progress: 0 });
  for (const { jobId, state } of moved) if (state !== 'queued') await settleJobs(core, { jobId });
}
