/**
 * Takes objects out of the bucket that no job refers to any more, as `deletions` says.
 *
 * Whoever was given a signed address to write there (an upload, a worker's pictures) can still use
 * it after the object is gone. So each is removed at once, and once more when the last such address
 * has expired; only then the row goes.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { log } from '../log.ts';
import { inboxPrefix } from '../storage/bucket.ts';

const mostAtOnce = 50;
const longestPauseSeconds = 3600;

interface Deletion {
  key: string;
  isPrefix: boolean;
  mediaId: string | null;
}

/** For the sweep: all that is due. @returns how many deletions went one step on. */
export function sweepDeletions(core: Core): Promise<number> {
  return removeObjects(core, {});
}

/**
 * Never throws: what fails is tried again later, at most an hour apart, until it is done.
 *
 * @param options.keys only these rows.
 */
export async function removeObjects(core: Core, options: { keys?: string[] }): Promise<number> {
  const { sql } = core;
  const due = await sql<Deletion[]>`
    with due as (
      select key, is_prefix from deletions
      where next_try_at <= now() ${options.keys ? sql`and key = any (${options.keys})` : sql``}
      order by next_try_at limit ${mostAtOnce} for update skip locked
    )
    update deletions d set tries = tries + 1,
      next_try_at = now() + make_interval(secs => least(${longestPauseSeconds}, 5 * 2 ^ least(tries, 20)))
    from due where (d.key, d.is_prefix) = (due.key, due.is_prefix)
    returning d.key, d.is_prefix, d.media_id`;
  let removed = 0;
  for (const deletion of due) {
    try {
      await removeObject(core, deletion);
      removed++;
    } catch (error) {
      log.warn('an object is not deleted yet', { objectKey: deletion.key, error });
    }
  }
  return removed;
}

async function removeObject(core: Core, { key, isPrefix, mediaId }: Deletion): Promise<void> {
  if (isPrefix) await core.bucket.removeAll(key);
  else if (mediaId === null) await removeLate(core, key);
  const isOver = mediaId !== null && !(await core.sql.begin((tx) => removeMedium(core, tx, mediaId)));
  await core.sql`
    with over as (
      delete from deletions where key = ${key} and is_prefix = ${isPrefix}
        and (${isOver} or signed_until is null or signed_until <= now())
      returning key
    )
    update deletions set next_try_at = signed_until, tries = 0
    where key = ${key} and is_prefix = ${isPrefix} and not exists (select from over)`;
}

/** What came after the medium was deleted. */
async function removeLate({ sql, bucket }: Core, key: string): Promise<void> {
  const [used] = await sql`select from media where object_key = ${key} and deleted_at is null`;
  if (!used) await bucket.remove(key);
}

/**
 * The row is locked while the object goes, so that nobody submits a job for it in between.
 *
 * @returns false where there is nothing to remove, now or later: a new job uses it.
 */
async function removeMedium({ bucket }: Core, tx: Tx, mediaId: string): Promise<boolean> {
  const [medium] = await tx<
    { objectKey: string; etag: string | null; uploadId: string | null; deletedAt: Date | null }[]
  >`
    select object_key, etag, upload_id, deleted_at from media where media_id = ${mediaId} for update`;
  const [user] = await tx`select from jobs where media_id = ${mediaId} limit 1`;
  if (user) return false;
  if (!medium) return true;
  const { objectKey, etag, uploadId, deletedAt } = medium;
  if (deletedAt === null) {
    if (uploadId !== null) await bucket.abortMultipart(objectKey, uploadId);
    const object = await bucket.stat(objectKey);
    // In the inbox somebody may have put another file there meanwhile, which has a job of its own.
    const isOther = objectKey.startsWith(inboxPrefix) && etag !== null && object?.etag !== etag;
    if (object && !isOther) await bucket.remove(objectKey);
  }
  await tx`delete from media where media_id = ${mediaId}`;
  return true;
}
