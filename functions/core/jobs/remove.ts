/**
 * Deleting a job: its rows and results at once, its pictures and its medium right after.
 *
 * The database comes first. One transaction takes the job's rows away and writes down which objects
 * are to follow (table `deletions`); whatever happens then, a crash or an object store that is
 * down, the sweep finds what is left (deletions.ts). The other way round a crash would leave a job
 * that lists pictures which are gone. A medium's row stays until its object is gone: without it an
 * object in the inbox would look like a new one and be analysed again.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { AimaError } from '../errors.ts';
import { topics } from '../events/topics.ts';
import { inboxPrefix } from '../storage/bucket.ts';
import { resultPrefix } from '../storage/prefix.ts';
import { afterCancel, isFinal, markCanceled } from './cancel.ts';
import { removeObjects } from './deletions.ts';
import { lockOwnJob } from './own.ts';

/** S3 signs no address for longer (AWS Signature Version 4, query parameters); ours last hours. */
const longestSignature = '7 days';

/** @throws AimaError `not_found`, also the second time. */
export async function removeJob(core: Core, userId: string, jobId: string): Promise<void> {
  // By itself: a worker that finishes locks the job and then the medium, the other way round than below.
  const job = await core.sql.begin(async (tx) => {
    const locked = await lockOwnJob(tx, userId, jobId);
    if (!isFinal(locked.state)) await markCanceled(tx, jobId);
    return locked;
  });
  await afterCancel(core, job);
  const keys = await core.sql.begin((tx) => removeRows(tx, jobId));
  forgetRetained(core, userId, jobId);
  await removeObjects(core, { keys });
}

/** @returns the keys in `deletions` that it wrote. */
async function removeRows(tx: Tx, jobId: string): Promise<string[]> {
  const [job] = await tx<{ batchId: string; mediaId: string }[]>`
    select batch_id, media_id from jobs where job_id = ${jobId}`;
  if (!job) throw new AimaError('not_found', `There is no job ${jobId}.`);
  // Locked before the job: of two that delete the last jobs of a batch or medium, the second sees that it is last.
  await tx`select from batches where batch_id = ${job.batchId} for update`;
  const [medium] = await tx<{ objectKey: string; deletedAt: Date | null }[]>`
    select object_key, deleted_at from media where media_id = ${job.mediaId} for update`;
  await tx`delete from events where job_id in (select job_id from jobs where parent_job_id = ${jobId})`;
  const [deleted] = await tx`delete from jobs where job_id = ${jobId} returning job_id`;
  if (!deleted) throw new AimaError('not_found', `There is no job ${jobId}.`);
  await tx`delete from events where job_id = ${jobId}`;
  await tx`insert into events (type, job_id) values ('job.deleted', ${jobId})`;
  await tx`
    delete from batches b where batch_id = ${job.batchId}
      and not exists (select from jobs j where j.batch_id = b.batch_id)`;
  await tx`
    insert into deletions (key, is_prefix, signed_until)
    values (${resultPrefix(jobId)}, true, now() + ${longestSignature}::interval)
    on conflict do nothing`;
  const [other] = await tx`select from jobs where media_id = ${job.mediaId} limit 1`;
  if (other) return [resultPrefix(jobId)];
  if (medium!.deletedAt) {
    // Its object was replaced: what is there now is another medium's.
    await tx`delete from media where media_id = ${job.mediaId}`;
    return [resultPrefix(jobId)];
  }
  const isSigned = !medium!.objectKey.startsWith(inboxPrefix);
  await tx`
    insert into deletions (key, is_prefix, media_id, signed_until)
    values (${medium!.objectKey}, false, ${job.mediaId},
            case when ${isSigned} then now() + ${longestSignature}::interval end)
    on conflict (key, is_prefix) do update set media_id = excluded.media_id, next_try_at = now(),
      signed_until = excluded.signed_until`;
  return [resultPrefix(jobId), medium!.objectKey];
}

/** The job's last state, which the broker keeps for whoever subscribes: an empty message removes it. */
function forgetRetained({ publisher }: Core, userId: string, jobId: string): void {
  const { client } = publisher;
  if (client.connected) client.publish(topics.userJob(userId, jobId), '', { qos: 1, retain: true });
}
