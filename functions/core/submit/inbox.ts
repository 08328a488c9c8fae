/**
 * The inbox: whatever somebody's S3 client puts below `inbox/` becomes a job with the default
 * analyses by itself, once for each content of an object.
 */
import { ownerId } from '../auth/caller.ts';
import type { Core } from '../core.ts';
import { newId } from '../ids.ts';
import { inboxPrefix } from '../storage/bucket.ts';
import { nameOfKey, replaceChanged } from './keys.ts';
import { analysesOf } from './request.ts';
import { insertBatch } from './rows.ts';

/** Keys that clients make beside the files that were meant: folders, and what begins with a dot. */
function isMeant(key: string): boolean {
  return !key.endsWith('/') && !nameOfKey(key).startsWith('.') && !/\p{Cc}/u.test(key);
}

/** @returns whether it made one: not where this content has its medium already. */
export async function makeInboxJob(core: Core, key: string, { etag }: { etag: string }): Promise<boolean> {
  if (!isMeant(key)) return false;
  const media = await replaceChanged(core, ownerId, new Map([[key, { etag }]]));
  if (media.has(key)) return false;
  const nowMs = Date.now();
  const job = {
    ...{
      jobId: newId(nowMs),
      mediaId: newId(nowMs),
      mediumExists: false,
      objectKey: key,
      name: nameOfKey(key),
    },
    ...{ contentType: null, sizeBytes: null, etag, sourceUrl: null },
  };
  try {
    return await insertBatch(core, {
      ...{ batchId: newId(nowMs), userId: ownerId, idempotencyKey: null, requestSha256: null },
      ...{ analyses: analysesOf({}), options: {}, reuse: true, priority: 0 },
      ...{ maxCostMicrodollars: null, deadlineAt: null, callbackUrl: null },
      jobs: [job],
    });
  } catch (error) {
    // The same event, handled twice at the same moment: the other one made it.
    if ((error as { constraint_name?: string }).constraint_name === 'media_object_key') return true;
    throw error;
  }
}

const listedAtOnce = 1000;

/**
 * Objects of the inbox that have no medium: their events were lost. Looks at the next thousand each
 * time and begins again at the end, so that a full inbox costs no more than a small one.
 */
export async function findForgotten({ bucket, sql }: Core): Promise<string[]> {
  const [cursor] = await sql<{ value: string }[]>`select value from settings where name = 'inbox_cursor'`;
  const listed: { key: string; etag: string }[] = [];
  for await (const object of bucket.list(inboxPrefix, cursor?.value ?? '')) {
    listed.push(object);
    if (listed.length === listedAtOnce) break;
  }
  const next = listed.length === listedAtOnce ? listed.at(-1)!.key : '';
  if (next !== (cursor?.value ?? '')) {
    await sql`
      insert into settings (name, value) values ('inbox_cursor', ${sql.json(next)})
      on conflict (name) do update set value = excluded.value`;
  }
  const meant = listed.filter(({ key }) => isMeant(key));
  if (meant.length === 0) return [];
  const rows = await sql<{ key: string }[]>`
    select o.key from unnest(${meant.map((o) => o.key)}::text[], ${meant.map((o) => o.etag)}::text[]) as o (key, etag)
    where not exists (select from media m where m.object_key = o.key and m.deleted_at is null and m.etag = o.etag)`;
  return rows.map((row) => row.key);
}
