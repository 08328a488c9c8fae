import { mayUse } from '../auth/access.ts';
import { sendXml } from '../protocol/answer.ts';
import { MAXIMUM_BODY_BYTES, type ReceivedBlob, storeBlob } from '../protocol/body.ts';
import { BodyDigest } from '../protocol/checksums.ts';
import { checkWrite, isUnmodified, readRange } from '../protocol/conditions.ts';
import { S3Error } from '../protocol/errors.ts';
import { descriptionOf } from '../protocol/metadata.ts';
import type { SignedRequest } from '../protocol/request.ts';
import { tag, xmlDocument } from '../protocol/xml.ts';
import type { StoredObject } from '../storage/catalog.ts';
import { actorOf, announce, type S3Context } from './context.ts';
import { findObject, putObject } from './objects.ts';

/** Copies: a whole object shares the blobs of its source; a range of one becomes a part with bytes of its own. */

/**
 * The object that `x-amz-copy-source` names, if the sender may read it and its conditions hold.
 * @throws {S3Error} AccessDenied, NoSuchKey, PreconditionFailed, InvalidArgument
 */
function findSource(
  context: S3Context,
  request: SignedRequest,
): { bucket: string; key: string; object: StoredObject } {
  const [path = '', query = ''] = (request.headers['x-amz-copy-source'] ?? '').split('?');
  let decoded: string;
  try {
    decoded = decodeURIComponent(path).replace(/^\//, '');
  } catch {
    throw new S3Error('InvalidArgument', 'The copy source is not well encoded.');
  }
  const slash = decoded.indexOf('/');
  const [bucket, key] = [decoded.slice(0, Math.max(slash, 0)), decoded.slice(slash + 1)];
  if (bucket === '' || key === '') throw new S3Error('InvalidArgument', 'The copy source names no object.');
  if (!mayUse(request.credential, 'read', bucket, key)) throw new S3Error('AccessDenied');
  const versionId = new URLSearchParams(query).get('versionId') ?? undefined;
  const object = findObject(context, bucket, key, versionId);
  if (isUnmodified(request.headers, object, 'x-amz-copy-source-')) throw new S3Error('PreconditionFailed');
  return { bucket, key, object };
}

export async function putOrCopyObject(context: S3Context, request: SignedRequest): Promise<void> {
  if (request.headers['x-amz-copy-source'] === undefined) return putObject(context, request);
  const { bucket, key, headers, credential } = request;
  checkWrite(headers, context.store.bucket(bucket).objects.get(key));
  const source = findSource(context, request);
  const described = descriptionOf(request);
  const replaceMetadata = headers['x-amz-metadata-directive']?.toUpperCase() === 'REPLACE';
  const replaceTags = headers['x-amz-tagging-directive']?.toUpperCase() === 'REPLACE';
  if (source.bucket === bucket && source.key === key && !replaceMetadata && !replaceTags) {
    throw new S3Error('InvalidRequest', 'A copy onto itself must change metadata or tags.');
  }
  const { uploadId: _, ...content } = source.object; // belongs to the object that the upload made
  const { contentType, metadata } = replaceMetadata ? described : content;
  const tags = replaceTags ? described.tags : content.tags;
  const object: StoredObject = { ...content, contentType, metadata, tags, modifiedAt: context.now() };
  const actor = actorOf(request, credential.accessKey);
  const event = announce(context, actor, 's3:ObjectCreated:Copy', bucket, key, object);
  await context.store.commit([{ type: 'object', bucket, key, object }, ...event]);
  sendXml(request.response, copyResult('CopyObjectResult', object));
}

export function copyResult(name: string, { etag, modifiedAt }: { etag: string; modifiedAt: number }): string {
  return xmlDocument(name, tag('LastModified', new Date(modifiedAt).toISOString()), tag('ETag', `"${etag}"`));
}

/** Copies a range of another object (all of it without `x-amz-copy-source-range`) into a new blob. */
export async function receiveCopiedRange(context: S3Context, request: SignedRequest): Promise<ReceivedBlob> {
  const { object } = findSource(context, request);
  const { blobs } = context.store;
  const whole = { start: 0, end: object.sizeBytes - 1 };
  const { start, end } = readRange(request.headers['x-amz-copy-source-range'], object.sizeBytes) ?? whole;
  await context.store.ensureRoom(end - start + 1);
  blobs.hold(object.blobs);
  try {
    const bytes = blobs.read(object.blobs, start, end);
    return await storeBlob(context.store, bytes, MAXIMUM_BODY_BYTES, new BodyDigest({}), () => new Map());
  } finally {
    await blobs.release(object.blobs);
  }
}
