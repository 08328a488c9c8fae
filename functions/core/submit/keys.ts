/**
 * Objects that are in the bucket before their job. Who may use which: the inbox belongs to the
 * owner of the installation, `uploads/<jobId>/` to whoever submitted that job. What is somebody
 * else's answers like what is not there.
 */
import { ownerId } from '../auth/caller.ts';
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { idPattern, newId } from '../ids.ts';
import { inboxPrefix, type ObjectInfo } from '../storage/bucket.ts';
import { eachOf } from './concurrency.ts';

export interface FoundObject {
  mediaId: string;
  mediumExists: boolean;
  name: string;
  contentType: string | null;
  sizeBytes: number;
  etag: string;
}

/** The job an upload key was made for, or null for other keys. */
export function jobOfKey(key: string): string | null {
  const found = /^uploads\/([^/]+)\/./.exec(key)?.[1];
  return found && idPattern.test(found) ? found : null;
}

export function nameOfKey(key: string): string {
  return (
    key
      .split('/')
      .pop()!
      .replace(/\p{Cc}/gu, ' ')
      .toWellFormed() || 'medium'
  );
}

/** @throws AimaError `not_found` that names the first key that is not there. */
export async function findObjects(
  core: Core,
  userId: string,
  keys: string[],
): Promise<Map<string, FoundObject>> {
  const distinct = [...new Set(keys)];
  if (distinct.length === 0) return new Map();
  const allowed = await ownKeys(core, userId, distinct);
  const infos = new Map<string, ObjectInfo>();
  await eachOf(distinct, async (key) => {
    const info = allowed.has(key) ? await core.bucket.stat(key) : null;
    if (!info)
      throw new AimaError('not_found', `There is no object ${key.slice(0, 200)} of yours in the bucket.`);
    infos.set(key, info);
  });
  const media = await replaceChanged(core, userId, infos);
  return new Map(
    distinct.map((key) => {
      const known = media.get(key);
      const { sizeBytes, etag, contentType } = infos.get(key)!;
      return [
        key,
        {
          mediaId: known ?? newId(),
          mediumExists: known !== undefined,
          name: nameOfKey(key),
          contentType,
          sizeBytes,
          etag,
        },
      ];
    }),
  );
}

/** Control characters and halves of surrogate pairs fit neither URLs nor Postgres; `..` would leave its folder in a URL. */
function isPossible(key: string): boolean {
  return (
    !/\p{Cc}/u.test(key) &&
    key.isWellFormed() &&
    !key.split('/').some((part) => part === '.' || part === '..')
  );
}

async function ownKeys({ sql }: Core, userId: string, keys: string[]): Promise<Set<string>> {
  const jobIds = keys.flatMap((key) => jobOfKey(key) ?? []);
  const own = jobIds.length
    ? await sql<
        { jobId: string }[]
      >`select job_id from jobs where job_id = any (${jobIds}) and user_id = ${userId}`
    : [];
  const ownJobs = new Set(own.map((row) => row.jobId));
  return new Set(
    keys.filter((key) => {
      if (!isPossible(key)) return false;
      const jobId = jobOfKey(key);
      return jobId ? ownJobs.has(jobId) : key.startsWith(inboxPrefix) && userId === ownerId;
    }),
  );
}

/**
 * The media that the database has for objects. One whose object was replaced since is closed, so
 * that the new object gets a medium of its own; what still waited to analyse the old one is canceled.
 *
 * @returns ids of the media that are still right, by key.
 */
export async function replaceChanged(
  { sql }: Core,
  userId: string,
  objects: Map<string, { etag: string }>,
): Promise<Map<string, string>> {
  const keys = [...objects.keys()];
  const etags = keys.map((key) => objects.get(key)!.etag);
  const rows = await sql<{ mediaId: string; objectKey: string; changed: boolean }[]>`
    with object as (select * from unnest(${keys}::text[], ${etags}::text[]) as o (object_key, etag))
    select m.media_id, m.object_key, m.etag is not null and m.etag <> o.etag as changed
    from media m join object o using (object_key)
    where m.deleted_at is null and m.user_id = ${userId}`;
  const changed = rows.filter((row) => row.changed).map((row) => row.mediaId);
  if (changed.length > 0) {
    await sql`
      with closed as (
        update media set deleted_at = now(), next_look_at = null where media_id = any (${changed}) and deleted_at is null
        returning media_id
      )
      update jobs j set state = 'canceled', error_code = 'conflict',
        error_detail = 'The file was replaced by another before it was analysed.'
      from closed c where j.media_id = c.media_id and j.state in ('awaiting_upload', 'queued')`;
  }
  return new Map(rows.filter((row) => !row.changed).map((row) => [row.objectKey, row.mediaId]));
}
