/** Puts the call to a job's callback address into the queue, in the transaction that settles the job. */
import type { Tx } from '../database.ts';

/** A job that a person sent back and that has settled again is told anew. */
export async function queueWebhook(tx: Tx, jobId: string, url: string): Promise<void> {
  await tx`
    insert into webhooks (job_id, url) values (${jobId}, ${url})
    on conflict (job_id) do update
      set url = excluded.url, tries = 0, next_try_at = now(), delivered_at = null, last_error = null`;
}
