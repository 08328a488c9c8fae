/**
 * The way in, step 1 of a request. Three sorts of files lead to the same place:
 *
 * - announced: the answer says where to upload it; the object store's event brings it back here;
 * - already in the bucket: looked at at once;
 * - at an https address: fetched by steps that events ring (intake/fetch.ts).
 *
 * Batch, media and jobs are written in one statement, before anything else is done, with the jobs
 * `awaiting_upload`. When the object is there, `mediaArrived` (arrival.ts) probes it and moves the
 * job to `queued`, or to `failed` with a sentence. What an event should have told and did not, the
 * sweep finds (sweep.ts).
 *
 * An Idempotency-Key is a unique column of the batch, so of two equal requests at the same moment
 * one writes, and the other waits for it and reads what it wrote.
 */
import { createHash } from 'node:crypto';
import type { Core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { newId } from '../ids.ts';
import { addressRules, checkUrl } from '../intake/addresses.ts';
import { uploadKey } from '../storage/bucket.ts';
import { mediaArrived } from './arrival.ts';
import { eachOf } from './concurrency.ts';
import { findObjects } from './keys.ts';
import {
  analysesOf,
  filesOf,
  optionsOf,
  type SubmitAnswer,
  type SubmitRequest,
  type SubmittedFile,
} from './request.ts';
import { type AnnouncedJob, findBatch, insertBatch, type NewBatch, type NewJob, readJobs } from './rows.ts';
import { describeJob, mostPartsInAnswer, partCount, signUpload } from './upload.ts';

/** Objects that are looked at before the answer; the rest follow by event. */
const mostLookedAt = 20;

/**
 * @param idempotencyKey of the caller's choice, or undefined.
 * @throws AimaError `idempotency_conflict`, `not_found` (a key), `url_not_allowed`, `media_too_large`.
 */
export async function submit(
  core: Core,
  userId: string,
  request: SubmitRequest,
  idempotencyKey?: string,
): Promise<SubmitAnswer> {
  const requestSha256 = createHash('sha256').update(JSON.stringify(request)).digest();
  if (idempotencyKey) {
    const replay = await replayBatch(core, userId, idempotencyKey, requestSha256);
    if (replay) return replay;
  }
  const batch: NewBatch = {
    batchId: newId(),
    userId,
    idempotencyKey: idempotencyKey ?? null,
    requestSha256: idempotencyKey ? requestSha256 : null,
    analyses: analysesOf(request),
    options: optionsOf(request),
    reuse: request.reuse,
    priority: request.priority,
    maxCostMicrodollars: request.maxCostMicrodollars ?? null,
    deadlineAt: request.deadlineAt ? new Date(request.deadlineAt) : null,
    callbackUrl: request.callbackUrl ? checkUrl(request.callbackUrl, addressRules(core.config)).href : null,
    jobs: await planJobs(core, userId, filesOf(request)),
  };
  if (!(await insertBatch(core, batch).catch(refuseClash))) {
    return (await replayBatch(core, userId, idempotencyKey!, requestSha256))!;
  }
  const isLookedAt = await startIntake(core, batch.jobs);
  const jobs = isLookedAt
    ? await readJobs(core, userId, batch)
    : batch.jobs.map((job) => announced(batch, job));
  return answer(core, batch.batchId, jobs);
}

async function replayBatch(
  core: Core,
  userId: string,
  idempotencyKey: string,
  requestSha256: Buffer,
): Promise<SubmitAnswer | null> {
  const found = await findBatch(core, userId, idempotencyKey);
  if (!found) return null;
  if (!found.requestSha256.equals(requestSha256)) {
    throw new AimaError(
      'idempotency_conflict',
      `The key was used for batch ${found.batchId}, with another request.`,
    );
  }
  return answer(core, found.batchId, await readJobs(core, userId, found));
}

async function planJobs(core: Core, userId: string, files: SubmittedFile[]): Promise<NewJob[]> {
  const objects = await findObjects(
    core,
    userId,
    files.flatMap(({ key }) => key ?? []),
  );
  const rules = addressRules(core.config);
  const most = core.config.AIMA_MAX_MEDIUM_BYTES;
  const seen = new Set<string>();
  // Ids in the order of the files: they sort so, even within a millisecond.
  const nowMs = Date.now();
  return files.map((file, index) => {
    const jobId = newId(nowMs + index);
    const size = file.sizeBytes ?? null;
    if (size !== null && size > most) {
      throw new AimaError(
        'media_too_large',
        `${file.name ?? 'A file'} has ${size} bytes; at most ${most} are taken.`,
      );
    }
    const common = { jobId, contentType: file.contentType ?? null, etag: null, sourceUrl: null };
    if (file.key !== undefined) {
      const object = objects.get(file.key)!;
      const mediumExists = object.mediumExists || seen.has(file.key);
      seen.add(file.key);
      return { ...common, ...object, mediumExists, name: file.name ?? object.name, objectKey: file.key };
    }
    const url = file.url === undefined ? null : checkUrl(file.url, rules);
    const name = file.name ?? nameOfUrl(url!);
    return {
      ...common,
      mediaId: newId(nowMs),
      mediumExists: false,
      objectKey: uploadKey(jobId, name),
      name,
      sizeBytes: size,
      sourceUrl: url?.href ?? null,
    };
  });
}

function nameOfUrl(url: URL): string {
  const last = url.pathname.split('/').pop()!;
  try {
    return (
      decodeURIComponent(last)
        .replace(/\p{Cc}/gu, ' ')
        .toWellFormed()
        .slice(0, 1000) || url.hostname
    );
  } catch {
    return last;
  }
}

/** @returns whether jobs may have gone on, so that they must be read again. */
async function startIntake(core: Core, jobs: NewJob[]): Promise<boolean> {
  const present = jobs.filter((job) => job.etag !== null);
  for (const job of jobs) if (job.sourceUrl) core.publisher.mediaRequested([job.jobId]);
  const keys = [...new Set(present.map((job) => job.objectKey))];
  await eachOf(keys.slice(0, mostLookedAt), (key) => mediaArrived(core, { key }));
  const later = new Set(keys.slice(mostLookedAt));
  const rest = present.filter((job) => later.has(job.objectKey)).map((job) => job.jobId);
  if (rest.length > 0) core.publisher.mediaRequested(rest);
  return present.length > 0;
}

function announced(batch: NewBatch, job: NewJob): AnnouncedJob {
  return {
    ...job,
    batchId: batch.batchId,
    state: 'awaiting_upload',
    uploadId: null,
    errorCode: null,
    errorDetail: null,
  };
}

/** Addresses for as many files as fit into one answer; the others are asked for at `links.upload`. */
async function answer(core: Core, batchId: string, jobs: AnnouncedJob[]): Promise<SubmitAnswer> {
  let allowance = mostPartsInAnswer;
  const described = jobs.map(async (job) => {
    const submitted = describeJob(job);
    const parts = partCount(job.sizeBytes);
    if (!submitted.links.upload || parts > allowance) return submitted;
    allowance -= parts;
    return { ...submitted, upload: await signUpload(core, job) };
  });
  return { batchId, jobs: await Promise.all(described) };
}

/** A medium of the same object was written between looking and writing. */
function refuseClash(error: unknown): never {
  const { constraint_name: constraint } = error as { constraint_name?: string };
  if (constraint === 'media_object_key' || constraint === 'jobs_media_id_fkey') {
    throw new AimaError(
      'conflict',
      'One of the objects was submitted or deleted in the same moment: send the request again.',
    );
  }
  throw error;
}
