/**
 * Where a file is to be sent: straight to the object store, past this server's functions. One
 * presigned PUT up to 64 MiB or where the size is not known (S3 takes up to 5 GiB so), presigned
 * parts beyond: a part that fails is sent again alone, and several go side by side.
 *
 * Nothing is remembered but the multipart upload's id: addresses are signed anew whenever they are
 * asked for.
 */
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { mediaArrived } from './arrival.ts';
import type { SubmittedJob, Upload } from './request.ts';
import { type AnnouncedJob, readJobs } from './rows.ts';

const mib = 2 ** 20;
export const singlePutBytes = 64 * mib;
const smallestPartBytes = 16 * mib;
const mostParts = 1000;
/** Signed in one answer: each address takes some ten microseconds and some 600 bytes. */
export const mostPartsInAnswer = 2000;
const longestSignatureSeconds = 7 * 24 * 3600;

export function partSize(sizeBytes: number): number {
  return Math.max(smallestPartBytes, Math.ceil(sizeBytes / mostParts / mib) * mib);
}

/** How many addresses the upload of a file of this size takes. */
export function partCount(sizeBytes: number | null): number {
  return sizeBytes !== null && sizeBytes > singlePutBytes ? Math.ceil(sizeBytes / partSize(sizeBytes)) : 1;
}

export async function signUpload(core: Core, job: AnnouncedJob): Promise<Upload> {
  const { bucket, config } = core;
  const seconds = Math.min(Math.max(config.AIMA_UPLOAD_EXPIRY_HOURS, 1) * 3600, longestSignatureSeconds);
  const expiresAt = new Date(Date.now() + seconds * 1000).toISOString();
  const count = partCount(job.sizeBytes);
  if (count === 1) {
    const headers = job.contentType ? { headers: { 'content-type': job.contentType } } : {};
    return { method: 'PUT', url: await bucket.presignPut(job.objectKey, seconds), ...headers, expiresAt };
  }
  const uploadId = job.uploadId ?? (await startMultipart(core, job));
  const partNumbers = Array.from({ length: count }, (_, index) => index + 1);
  const parts = await Promise.all(
    partNumbers.map(async (partNumber) => ({
      partNumber,
      url: await bucket.presignPart(job.objectKey, uploadId, partNumber, seconds),
    })),
  );
  const complete = `/function/submit-job/${job.jobId}/complete`;
  return {
    method: 'PUT',
    multipart: { partSizeBytes: partSize(job.sizeBytes!), parts, complete },
    expiresAt,
  };
}

/** Of two that start one at the same time, one wins, and the other's is given up. */
async function startMultipart({ bucket, sql }: Core, job: AnnouncedJob): Promise<string> {
  const uploadId = await bucket.startMultipart(job.objectKey, job.contentType ?? 'application/octet-stream');
  const [kept] = await sql<{ uploadId: string }[]>`
    update media set upload_id = coalesce(upload_id, ${uploadId})
    where object_key = ${job.objectKey} and deleted_at is null returning upload_id`;
  if (kept?.uploadId !== uploadId) await bucket.abortMultipart(job.objectKey, uploadId);
  if (!kept) throw new AimaError('not_found', 'The job was deleted.');
  return kept.uploadId;
}

/** New addresses for an upload whose old ones have expired. @throws AimaError `not_found`, `wrong_state` */
export async function renewUpload(core: Core, userId: string, jobId: string): Promise<Upload> {
  const job = await readJob(core, userId, jobId);
  if (job.state !== 'awaiting_upload')
    throw new AimaError('wrong_state', `The job is ${job.state}: it awaits no upload.`);
  if (job.sourceUrl) throw new AimaError('wrong_state', 'The file is being fetched from its address.');
  return signUpload(core, job);
}

/**
 * Joins the parts of a multipart upload and looks at the medium. Once it is joined, saying it again
 * only tells the job's state.
 *
 * @throws AimaError `not_found`, `wrong_state`, `bad_request` where parts are missing or wrong.
 */
export async function completeUpload(
  core: Core,
  userId: string,
  jobId: string,
  parts: { partNumber: number; etag: string }[],
): Promise<SubmittedJob> {
  const job = await readJob(core, userId, jobId);
  if (job.state === 'awaiting_upload') {
    if (!job.uploadId) throw new AimaError('wrong_state', 'No upload in parts is under way for this job.');
    await joinParts(core, job, job.uploadId, parts);
    await mediaArrived(core, { key: job.objectKey });
  }
  return describeJob(await readJob(core, userId, jobId));
}

async function joinParts(
  { bucket }: Core,
  job: AnnouncedJob,
  uploadId: string,
  parts: { partNumber: number; etag: string }[],
) {
  const count = partCount(job.sizeBytes);
  if (new Set(parts.map((part) => part.partNumber)).size !== count || parts.length !== count) {
    throw new AimaError('bad_request', `Name every one of the ${count} parts once.`);
  }
  const inOrder = parts
    .map(({ partNumber, etag }) => ({ part: partNumber, etag: etag.replaceAll('"', '') }))
    .sort((a, b) => a.part - b.part);
  try {
    await bucket.finishMultipart(job.objectKey, uploadId, inOrder);
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    // Joined before, by a call whose answer was lost.
    if (code === 'NoSuchUpload' && (await bucket.stat(job.objectKey))) return;
    if (
      ['NoSuchUpload', 'InvalidPart', 'InvalidPartOrder', 'EntityTooSmall', 'MalformedXML'].includes(code)
    ) {
      throw new AimaError('bad_request', `The object store cannot join the parts: ${code}.`, {
        cause: error,
      });
    }
    throw error;
  }
}

async function readJob(core: Core, userId: string, jobId: string): Promise<AnnouncedJob> {
  const [job] = await readJobs(core, userId, { jobId });
  if (!job) throw new AimaError('not_found', `There is no job ${jobId}.`);
  return job;
}

/** A job as submit-job answers it, without where to upload it. */
export function describeJob(job: AnnouncedJob): SubmittedJob {
  const awaitsUpload = job.state === 'awaiting_upload' && !job.sourceUrl;
  return {
    jobId: job.jobId,
    state: job.state,
    name: job.name,
    ...(job.errorCode ? { error: { code: job.errorCode, detail: job.errorDetail ?? '' } } : {}),
    links: {
      self: `/function/jobs/${job.jobId}`,
      ...(awaitsUpload ? { upload: `/function/submit-job/${job.jobId}/upload` } : {}),
    },
  };
}
