import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { encodeUri } from '../auth/signature.ts';
import { sendEmpty, sendXml } from '../protocol/answer.ts';
import { receiveBlob, receiveText } from '../protocol/body.ts';
import { checkWrite } from '../protocol/conditions.ts';
import { S3Error } from '../protocol/errors.ts';
import { descriptionOf } from '../protocol/metadata.ts';
import { queryInteger, type SignedRequest } from '../protocol/request.ts';
import { parseXml, repeated, tag, xmlDocument } from '../protocol/xml.ts';
import type { Change, Part, StoredObject, Upload } from '../storage/catalog.ts';
import { actorOf, announce, type S3Context } from './context.ts';
import { copyResult, receiveCopiedRange } from './copy.ts';

/**
 * Multipart uploads. Parts may arrive in parallel and in any order; the completed object is the list of its parts'
 * blobs, so completion moves no bytes and takes milliseconds for any size.
 */

const MAXIMUM_PARTS = 10_000;
/** Every part but the last. */
const MINIMUM_PART_BYTES = 5 << 20;

/** @throws {S3Error} NoSuchBucket, NoSuchUpload */
export function findUpload(context: S3Context, request: SignedRequest): Upload {
  const upload = context.store.bucket(request.bucket).uploads.get(request.query.get('uploadId') ?? '');
  if (!upload || upload.key !== request.key) throw new S3Error('NoSuchUpload');
  return upload;
}

export async function createUpload(context: S3Context, request: SignedRequest): Promise<void> {
  const { bucket, key } = request;
  const start = { key, startedAt: context.now(), ...descriptionOf(request) };
  await receiveText(request);
  context.store.bucket(bucket);
  const uploadId = randomBytes(24).toString('base64url');
  await context.store.commit([{ type: 'upload', bucket, uploadId, start }]);
  const ids = [tag('Bucket', bucket), tag('Key', key), tag('UploadId', uploadId)];
  sendXml(request.response, xmlDocument('InitiateMultipartUploadResult', ids));
}

export async function uploadPart(context: S3Context, request: SignedRequest): Promise<void> {
  const { bucket, query } = request;
  const partNumber = queryInteger(request, 'partNumber', 0, MAXIMUM_PARTS + 1);
  if (partNumber < 1 || partNumber > MAXIMUM_PARTS)
    throw new S3Error('InvalidArgument', 'partNumber: 1 to 10000.');
  findUpload(context, request);
  const copied = request.headers['x-amz-copy-source'] !== undefined;
  const received = await (copied
    ? receiveCopiedRange(context, request)
    : receiveBlob(context.store, request));
  try {
    findUpload(context, request); // it may have been completed or aborted meanwhile
  } catch (error) {
    await context.store.blobs.discard(received.blob.id);
    throw error;
  }
  const part: Part = { etag: received.md5, blob: received.blob, uploadedAt: context.now() };
  await context.store.commit([
    { type: 'part', bucket, uploadId: query.get('uploadId') ?? '', partNumber, part },
  ]);
  if (copied) {
    sendXml(request.response, copyResult('CopyPartResult', { etag: part.etag, modifiedAt: part.uploadedAt }));
    return;
  }
  const { checksum } = received;
  sendEmpty(request.response, 200, {
    etag: `"${part.etag}"`,
    ...(checksum && { [`x-amz-checksum-${checksum.algorithm}`]: checksum.value }),
  });
}

export async function abortUpload(context: S3Context, request: SignedRequest): Promise<void> {
  findUpload(context, request);
  const uploadId = request.query.get('uploadId') ?? '';
  await context.store.commit([{ type: 'upload-aborted', bucket: request.bucket, uploadId }]);
  sendEmpty(request.response, 204);
}

const completion = z.object({
  CompleteMultipartUpload: z.object({
    Part: repeated(
      z.object({
        PartNumber: z
          .string()
          .regex(/^\d{1,5}$/)
          .transform(Number),
        ETag: z.string(),
      }),
    ).refine((parts) => parts.length >= 1 && parts.length <= MAXIMUM_PARTS, '1 to 10000 parts'),
  }),
});

interface PartReference {
  partNumber: number;
  etag: string;
}

function readCompletion(text: string): PartReference[] {
  return parseXml(text, completion).CompleteMultipartUpload.Part.map(({ PartNumber, ETag }) => ({
    partNumber: PartNumber,
    etag: ETag.replaceAll('"', ''),
  }));
}

/** S3's ETag of a multipart object: the MD5 of the parts' MD5s, and how many there are. */
function completedEtag(parts: readonly PartReference[]): string {
  const digests = Buffer.concat(parts.map(({ etag }) => Buffer.from(etag, 'hex')));
  return `${createHash('md5').update(digests).digest('hex')}-${parts.length}`;
}

/** @throws {S3Error} InvalidPartOrder, InvalidPart, EntityTooSmall */
function chooseParts(upload: Upload, references: readonly PartReference[]): Part[] {
  const ascending = references.every(
    ({ partNumber }, index) => index === 0 || partNumber > references[index - 1]!.partNumber,
  );
  if (!ascending) throw new S3Error('InvalidPartOrder');
  return references.map(({ partNumber, etag }, index) => {
    const part = upload.parts.get(partNumber);
    if (!part || part.etag !== etag) throw new S3Error('InvalidPart');
    const last = index === references.length - 1;
    if (!last && part.blob.sizeBytes < MINIMUM_PART_BYTES) throw new S3Error('EntityTooSmall');
    return part;
  });
}

/**
 * Completes an upload. Of several completions at once one makes the object; the others, and a client that repeats
 * its request because the answer was lost, get the same answer for as long as that object is there.
 */
export async function completeUpload(context: S3Context, request: SignedRequest): Promise<void> {
  const { bucket, key, headers, credential } = request;
  const uploadId = request.query.get('uploadId') ?? '';
  const references = readCompletion(await receiveText(request));
  const etag = completedEtag(references);
  const { objects, uploads } = context.store.bucket(bucket);
  const current = objects.get(key);
  if (!uploads.has(uploadId) && current?.uploadId === uploadId && current.etag === etag) {
    await context.store.settled(); // the completion that made it may still be on its way to the disk
    return sendCompleted(request, etag);
  }
  const upload = findUpload(context, request);
  const parts = chooseParts(upload, references);
  checkWrite(headers, current);
  const object: StoredObject = {
    contentType: upload.contentType,
    metadata: upload.metadata,
    tags: upload.tags,
    etag,
    sizeBytes: parts.reduce((sum, part) => sum + part.blob.sizeBytes, 0),
    modifiedAt: context.now(),
    blobs: parts.map((part) => part.blob),
    uploadId,
  };
  const change: Change = { type: 'upload-completed', bucket, uploadId, key, object };
  const actor = actorOf(request, credential.accessKey);
  const event = announce(context, actor, 's3:ObjectCreated:CompleteMultipartUpload', bucket, key, object);
  await context.store.commit([change, ...event]);
  sendCompleted(request, etag);
}

function sendCompleted({ bucket, key, headers, response }: SignedRequest, etag: string): void {
  const location = `http://${headers.host}/${bucket}/${key.split('/').map(encodeUri).join('/')}`;
  const result = [
    tag('Location', location),
    tag('Bucket', bucket),
    tag('Key', key),
    tag('ETag', `"${etag}"`),
  ];
  sendXml(response, xmlDocument('CompleteMultipartUploadResult', result));
}
