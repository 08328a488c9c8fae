/** What the connector brings to submit-job: an object came, or a medium is to be fetched or looked at. */
import { z } from 'zod';
import type { Core } from '../core.ts';
import { MediaRequested, MediaUploaded } from '../events/topics.ts';
import { fetchStep } from '../intake/fetch.ts';
import { mediaArrived } from './arrival.ts';
import { eachOf } from './concurrency.ts';

export const IntakeEvent = z.union([MediaUploaded, MediaRequested]);

export async function handleIntakeEvent(core: Core, event: z.output<typeof IntakeEvent>): Promise<void> {
  if ('jobIds' in event) await handleRequested(core, event.jobIds);
  else if (event.EventName.startsWith('s3:ObjectCreated:')) await handleUploaded(core, event);
}

async function handleUploaded(core: Core, { Records }: z.output<typeof MediaUploaded>): Promise<void> {
  const keys = Records.filter(({ s3 }) => s3.bucket.name === core.bucket.name).flatMap(
    ({ s3 }) => decodeKey(s3.object.key) ?? [],
  );
  await eachOf(keys, (key) => mediaArrived(core, { key }));
}

/** Query-escaped by the object store. null where it is not: no such object can exist. */
function decodeKey(escaped: string): string | null {
  try {
    return decodeURIComponent(escaped.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

async function handleRequested(core: Core, jobIds: string[]): Promise<void> {
  const rows = await core.sql<{ jobId: string; objectKey: string; sourceUrl: string | null }[]>`
    select j.job_id, m.object_key, m.source_url from jobs j join media m using (media_id)
    where j.job_id = any (${jobIds}) and j.state = 'awaiting_upload'`;
  await eachOf(rows, ({ jobId, objectKey, sourceUrl }) =>
    sourceUrl ? fetchStep(core, jobId) : mediaArrived(core, { key: objectKey }),
  );
}
