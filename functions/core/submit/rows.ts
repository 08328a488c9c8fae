/** Jobs on their way in, as rows of the database. */
import type { Core } from '../core.ts';
import type { JobState } from '../jobs/states.ts';
import type { JobOptions } from './request.ts';

/** A job with what is needed to tell somebody how to upload its medium. */
export interface AnnouncedJob {
  jobId: string;
  batchId: string;
  state: JobState;
  name: string;
  objectKey: string;
  contentType: string | null;
  /** As announced; null where that was left out. */
  sizeBytes: number | null;
  uploadId: string | null;
  sourceUrl: string | null;
  errorCode: string | null;
  errorDetail: string | null;
}

/** One file of a batch, to be written. */
export interface NewJob {
  jobId: string;
  mediaId: string;
  /** The medium is in the database already. */
  mediumExists: boolean;
  objectKey: string;
  name: string;
  contentType: string | null;
  sizeBytes: number | null;
  etag: string | null;
  sourceUrl: string | null;
}

export interface NewBatch {
  batchId: string;
  userId: string;
  idempotencyKey: string | null;
  requestSha256: Buffer | null;
  analyses: string[];
  options: JobOptions;
  reuse: boolean;
  priority: number;
  maxCostMicrodollars: number | null;
  deadlineAt: Date | null;
  callbackUrl: string | null;
  jobs: NewJob[];
}

/** Seconds an upload has before the sweep first looks whether its event was lost. */
export const firstLookSeconds = 20;

/**
 * Writes batch, media and jobs in one statement.
 *
 * @returns false where the idempotency key is taken: then nothing was written.
 * @throws PostgresError 23505 where a medium of the same object was written by somebody else meanwhile.
 */
export async function insertBatch({ sql }: Pick<Core, 'sql'>, batch: NewBatch): Promise<boolean> {
  const [made] = await sql<{ jobs: number }[]>`
    with made_batch as (
      insert into batches (batch_id, user_id, idempotency_key, request_sha256)
      values (${batch.batchId}, ${batch.userId}, ${batch.idempotencyKey}, ${batch.requestSha256})
      on conflict (user_id, idempotency_key) do nothing
      returning batch_id, user_id
    ), file as (
      select * from made_batch, jsonb_to_recordset(${sql.json(batch.jobs as never)}) as f (
        "jobId" text, "mediaId" text, "mediumExists" boolean, "objectKey" text, name text, "contentType" text,
        "sizeBytes" bigint, etag text, "sourceUrl" text)
    ), made_media as (
      insert into media (media_id, user_id, object_key, name, content_type, size_bytes, etag, source_url, next_look_at)
      select "mediaId", user_id, "objectKey", name, "contentType", "sizeBytes", etag, "sourceUrl",
        now() + make_interval(secs => case when "sourceUrl" is null then ${firstLookSeconds}::int else 0 end)
      from file where not "mediumExists"
    ), made_jobs as (
      insert into jobs (job_id, user_id, batch_id, media_id, state, analyses, options, reuse, priority,
        max_cost_microdollars, deadline_at, callback_url)
      select "jobId", user_id, batch_id, "mediaId", 'awaiting_upload', ${batch.analyses}::text[],
        ${sql.json(batch.options as never)}::jsonb, ${batch.reuse}::boolean, ${batch.priority}::smallint, ${batch.maxCostMicrodollars}::bigint,
        ${batch.deadlineAt}::timestamptz, ${batch.callbackUrl}::text
      from file
      returning job_id
    )
    select count(*)::int as jobs from made_jobs`;
  return made!.jobs > 0;
}

/** The batch that was made with an idempotency key, or null. */
export async function findBatch(
  { sql }: Pick<Core, 'sql'>,
  userId: string,
  idempotencyKey: string,
): Promise<{ batchId: string; requestSha256: Buffer } | null> {
  const [found] = await sql<{ batchId: string; requestSha256: Buffer }[]>`
    select batch_id, request_sha256 from batches where user_id = ${userId} and idempotency_key = ${idempotencyKey}`;
  return found ?? null;
}

/** The jobs of a batch, or one job, of this user; in the order they were submitted. */
export async function readJobs(
  { sql }: Pick<Core, 'sql'>,
  userId: string,
  of: { batchId: string } | { jobId: string },
): Promise<AnnouncedJob[]> {
  return sql<AnnouncedJob[]>`
    select j.job_id, j.batch_id, j.state, m.name, m.object_key, m.content_type, m.size_bytes, m.upload_id,
      m.source_url, j.error_code, j.error_detail
    from jobs j join media m using (media_id)
    where j.user_id = ${userId} and j.parent_job_id is null
      and ${'batchId' in of ? sql`j.batch_id = ${of.batchId}` : sql`j.job_id = ${of.jobId}`}
    order by j.job_id`;
}
