/**
 * What a worker needs to reach one job's medium and keep its pictures: a presigned GET URL for
 * exactly that object, and a POST policy for exactly its result prefix. Signed when the job is
 * assigned, renewed by the sweep while it runs.
 */
import type { Core } from '../core.ts';
import type { Sql, Tx } from '../database.ts';
import { resultPrefix } from '../storage/prefix.ts';

/** Long enough to fetch any medium; short enough that a leaked URL is soon worth nothing. */
const validSeconds = 6 * 3600;
/** Keyframes and face crops are some ten kilobytes each. */
const maxPictureBytes = 4 << 20;

export async function grantAccess(core: Core, tx: Tx | Sql, jobIds: string[]): Promise<void> {
  const media = await tx<{ jobId: string; objectKey: string }[]>`
    select job_id, object_key from jobs join media using (media_id) where job_id in ${tx(jobIds)}`;
  const expiresAt = new Date(Date.now() + validSeconds * 1000);
  const rows = await Promise.all(
    media.map(async ({ jobId, objectKey }) => {
      const post = await core.bucket.presignPost(resultPrefix(jobId), validSeconds, maxPictureBytes);
      return {
        jobId,
        getUrl: await core.bucket.presignGet(objectKey, validSeconds),
        postUrl: post.url,
        postFields: tx.json(post.fields),
        expiresAt,
      };
    }),
  );
  if (rows.length === 0) return;
  await tx`
    insert into job_access ${tx(rows)}
    on conflict (job_id) do update set get_url = excluded.get_url, post_url = excluded.post_url,
      post_fields = excluded.post_fields, expires_at = excluded.expires_at`;
}

/** Renews what half of its time has gone of. */
export async function renewAccess(core: Core): Promise<void> {
  const soon = new Date(Date.now() + (validSeconds * 1000) / 2);
  const rows = await core.sql<{ jobId: string }[]>`
    select job_id from job_access join jobs using (job_id) where instance_id is not null and expires_at < ${soon}`;
  if (rows.length > 0)
    await grantAccess(
      core,
      core.sql,
      rows.map((row) => row.jobId),
    );
}
