/** The medium of a job, as far as it is still there. */
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';

export interface StoredMedium {
  objectKey: string;
  name: string;
}

/**
 * null where it was never uploaded, was replaced by another file, or is no longer in the bucket,
 * which deletes media by age without telling anybody.
 *
 * @throws AimaError `not_found` where there is no such job of this user's; `storage_unavailable`.
 */
export async function findStored(core: Core, userId: string, jobId: string): Promise<StoredMedium | null> {
  const [medium] = await core.sql<(StoredMedium & { isThere: boolean; etag: string | null })[]>`
    select object_key, name, etag, uploaded_at is not null and deleted_at is null as is_there
    from jobs join media using (media_id) where job_id = ${jobId} and jobs.user_id = ${userId}`;
  if (!medium) throw new AimaError('not_found', `There is no job ${jobId}.`);
  if (!medium.isThere) return null;
  const object = await core.bucket.stat(medium.objectKey);
  const isSame = object !== null && (medium.etag === null || medium.etag === object.etag);
  return isSame ? { objectKey: medium.objectKey, name: medium.name } : null;
}
