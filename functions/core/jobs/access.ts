/**
 * What a worker needs to reach one job's medium and keep its pictures: a presigned GET URL for
 * exactly that object, and a POST policy for exactly its result prefix. Signed when the job is
 * assigned, for the address at which that machine reaches the store; renewed by the sweep while it runs.
 */
import type { Core } from '../core.ts';
import type { Sql, Tx } from '../database.ts';
import { pieceFolder, resultPrefix } from '../storage/prefix.ts';

/** Long enough to fetch any medium; short enough that a leaked URL is soon worth nothing. */
const validSeconds = 6 * 3600;
/** Keyframes and face crops are some ten kilobytes each. */
const maxPictureBytes = 4 << 20;

interface Granted {
  jobId: string;
  parentJobId: string | null;
  piece: number | null;
  objectKey: string;
  provider: string;
}

/** @param jobIds of jobs that have their instance already. */
export async function grantAccess(core: Core, tx: Tx | Sql, jobIds: string[]): Promise<void> {
  const media = await tx<Granted[]>`
    select job_id, parent_job_id, piece, object_key, provider from jobs join media using (media_id) join instances using (instance_id)
    where job_id in ${tx(jobIds)}`;
  const expiresAt = new Date(Date.now() + validSeconds * 1000);
  const rows = await Promise.all(
    media.map(async ({ objectKey, provider, ...job }) => {
      const { bucket, providers } = core;
      const worker = providers.get(provider)?.isRemote ? 'rented' : 'beside us';
      const prefix = prefixOf(job);
      const post = await bucket.presignPost(prefix, validSeconds, maxPictureBytes, worker);
      return {
        jobId: job.jobId,
        getUrl: await bucket.presignGet(objectKey, validSeconds, { worker }),
        postUrl: post.url,
        postFields: tx.json(post.fields),
        resultPrefix: prefix,
        expiresAt,
      };
    }),
  );
  if (rows.length === 0) return;
  await tx`
    insert into job_access ${tx(rows)}
    on conflict (job_id) do update set get_url = excluded.get_url, post_url = excluded.post_url,
      post_fields = excluded.post_fields, result_prefix = excluded.result_prefix, expires_at = excluded.expires_at`;
}

/** A piece's pictures go to a folder of the job that it was cut from. */
function prefixOf({ jobId, parentJobId, piece }: Pick<Granted, 'jobId' | 'parentJobId' | 'piece'>): string {
  return parentJobId === null || piece === null
    ? resultPrefix(jobId)
    : resultPrefix(parentJobId) + pieceFolder(piece);
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
