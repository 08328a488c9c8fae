/**
 * Media that are awaited and whose event may have been lost. Each is looked at after 20 seconds,
 * then at intervals that double up to an hour, and for the last time when it expires: thousands of
 * uploads that nobody finishes cost some requests an hour. At most 50 each sweep, those that have
 * been due for longest first.
 */
import type { Core } from '../core.ts';
import { fetchStep } from '../intake/fetch.ts';
import { settleJobs } from '../jobs/settle.ts';
import { mediaArrived } from './arrival.ts';
import { eachOf } from './concurrency.ts';
import { findForgotten } from './inbox.ts';
import { firstLookSeconds } from './rows.ts';

const mostAtOnce = 50;
const longestPauseSeconds = 3600;
/** Without a broker nobody rings for the steps of a fetch; the sweep then does some itself, short ones. */
const mostFetches = 2;
const fetchMs = 8_000;

interface Awaited {
  mediaId: string;
  objectKey: string;
  uploadId: string | null;
  /** Jobs that still wait for it. */
  jobIds: string[];
  isExpired: boolean;
}

/** Finds uploads, inbox objects and fetches that no event told of; ends what has expired. */
export async function sweepUploads(core: Core): Promise<void> {
  await eachOf(await takeAwaited(core), (medium) => look(core, medium));
  await eachOf(await findForgotten(core), (key) => mediaArrived(core, { key }));
  await continueFetches(core);
}

function takeAwaited({ sql, config }: Core): Promise<Awaited[]> {
  const expirySeconds = config.AIMA_UPLOAD_EXPIRY_HOURS * 3600;
  return sql<Awaited[]>`
    with due as (
      select m.media_id from media m
      where m.next_look_at <= now() and (m.source_url is null
        or not exists (select from jobs j where j.media_id = m.media_id and j.state = 'awaiting_upload'))
      order by m.next_look_at limit ${mostAtOnce} for update skip locked
    )
    update media m set looks = m.looks + 1,
      next_look_at = greatest(now() + make_interval(secs => ${firstLookSeconds}), least(
        now() + make_interval(secs => least(${firstLookSeconds} * 2 ^ least(m.looks, 20), ${longestPauseSeconds})),
        m.created_at + make_interval(secs => ${expirySeconds})))
    from due where m.media_id = due.media_id
    returning m.media_id, m.object_key, m.upload_id,
      array(select job_id from jobs j where j.media_id = m.media_id and j.state = 'awaiting_upload') as job_ids,
      m.created_at + make_interval(secs => ${expirySeconds}) <= now() as is_expired`;
}

async function look(core: Core, medium: Awaited): Promise<void> {
  if (medium.jobIds.length === 0) return forget(core, medium);
  const arrival = await mediaArrived(core, { key: medium.objectKey });
  if (arrival === 'missing' && medium.isExpired) await expire(core, medium);
}

async function expire(core: Core, medium: Awaited): Promise<void> {
  await core.sql`
    update jobs set state = 'expired', error_code = 'upload_expired', error_detail = 'The file was not uploaded in time.'
    where media_id = ${medium.mediaId} and state = 'awaiting_upload'`;
  await forget(core, medium);
  for (const jobId of medium.jobIds) await settleJobs(core, { jobId });
}

/** Nothing waits for it any more: the parts that were uploaded need not stay. */
async function forget({ bucket, sql }: Core, { mediaId, objectKey, uploadId }: Awaited): Promise<void> {
  if (uploadId) await bucket.abortMultipart(objectKey, uploadId);
  await sql`update media set next_look_at = null, upload_id = null, fetch_state = null where media_id = ${mediaId}`;
}

async function continueFetches(core: Core): Promise<void> {
  const due = await core.sql<{ jobId: string }[]>`
    select j.job_id from media m join jobs j using (media_id)
    where m.next_look_at <= now() and m.source_url is not null and j.state = 'awaiting_upload'
    order by m.next_look_at limit ${mostAtOnce}`;
  const jobIds = due.map((row) => row.jobId);
  if (core.publisher.client.connected) for (const jobId of jobIds) core.publisher.mediaRequested([jobId]);
  else await eachOf(jobIds.slice(0, mostFetches), (jobId) => fetchStep(core, jobId, fetchMs));
}
