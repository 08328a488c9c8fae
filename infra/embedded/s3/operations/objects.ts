import { pipeline } from 'node:stream/promises';
import type { EventName } from '../events/messages.ts';
import { sendEmpty, sendXml } from '../protocol/answer.ts';
import { type ReceivedBlob, receiveBlob, receiveText } from '../protocol/body.ts';
import { checkWrite, isUnmodified, readRange } from '../protocol/conditions.ts';
import { S3Error } from '../protocol/errors.ts';
import { descriptionOf, objectHeaders, readTagging, writeTagging } from '../protocol/metadata.ts';
import type { S3Request, SignedRequest } from '../protocol/request.ts';
import type { Description, StoredObject } from '../storage/catalog.ts';
import { actorOf, announce, type S3Context } from './context.ts';

/** Operations on one object. */

/** @throws {S3Error} NoSuchBucket, NoSuchKey, NoSuchVersion */
export function findObject(
  context: S3Context,
  bucket: string,
  key: string,
  versionId?: string,
): StoredObject {
  const object = context.store.bucket(bucket).objects.get(key);
  if (!object) throw new S3Error('NoSuchKey');
  if (versionId !== undefined && versionId !== 'null') throw new S3Error('NoSuchVersion');
  return object;
}

/** HEAD and GET, whole or a range. */
export async function getObject(context: S3Context, request: SignedRequest): Promise<void> {
  const { response, query, headers } = request;
  const object = findObject(context, request.bucket, request.key, query.get('versionId'));
  const answer = objectHeaders(object, query);
  if (isUnmodified(headers, object)) return sendEmpty(response, 304, answer);
  const ifRange = headers['if-range'];
  const rangeHolds = ifRange === undefined || ifRange === answer.etag || ifRange === answer['last-modified'];
  const range = rangeHolds ? readRange(headers.range, object.sizeBytes) : null;
  const { start, end } = range ?? { start: 0, end: object.sizeBytes - 1 };
  if (range) {
    answer['content-range'] = `bytes ${start}-${end}/${object.sizeBytes}`;
  } else if (object.checksum && headers['x-amz-checksum-mode']?.toUpperCase() === 'ENABLED') {
    answer[`x-amz-checksum-${object.checksum.algorithm}`] = object.checksum.value;
  }
  answer['content-length'] = String(end - start + 1);
  context.store.blobs.hold(object.blobs); // replaced or deleted meanwhile, the bytes stay for this reader
  try {
    response.writeHead(range ? 206 : 200, answer);
    if (request.method === 'HEAD' || object.sizeBytes === 0) response.end();
    else await pipeline(context.store.blobs.read(object.blobs, start, end), response);
  } finally {
    await context.store.blobs.release(object.blobs);
  }
}

/**
 * Makes received bytes an object, durably, with its event.
 * @param check runs in the same step in which the object becomes visible; throws to refuse
 */
export async function putObjectBytes(
  context: S3Context,
  request: S3Request & { accessKey: string },
  name: EventName,
  received: ReceivedBlob,
  description: Description,
  check: (current: StoredObject | undefined) => void,
): Promise<StoredObject> {
  const { bucket, key, accessKey } = request;
  const object: StoredObject = {
    ...description,
    etag: received.md5,
    sizeBytes: received.blob.sizeBytes,
    modifiedAt: context.now(),
    blobs: [received.blob],
    ...(received.checksum && { checksum: received.checksum }),
  };
  try {
    check(context.store.bucket(bucket).objects.get(key));
  } catch (error) {
    await context.store.blobs.discard(received.blob.id);
    throw error;
  }
  const event = announce(context, actorOf(request, accessKey), name, bucket, key, object);
  await context.store.commit([{ type: 'object', bucket, key, object }, ...event]);
  return object;
}

export async function putObject(context: S3Context, request: SignedRequest): Promise<void> {
  const { headers, credential } = request;
  const check = (current: StoredObject | undefined): void => checkWrite(headers, current);
  check(context.store.bucket(request.bucket).objects.get(request.key)); // a refusal before the body is cheaper
  const description = descriptionOf(request);
  const received = await receiveBlob(context.store, request);
  const sender = { ...request, accessKey: credential.accessKey };
  const object = await putObjectBytes(context, sender, 's3:ObjectCreated:Put', received, description, check);
  sendEmpty(request.response, 200, {
    etag: `"${object.etag}"`,
    ...(object.checksum && { [`x-amz-checksum-${object.checksum.algorithm}`]: object.checksum.value }),
  });
}

/** Deletes an object if it is there, with its event. */
export async function removeObject(context: S3Context, request: SignedRequest, key: string): Promise<void> {
  const { bucket, credential } = request;
  if (!context.store.bucket(bucket).objects.get(key)) return;
  const actor = actorOf(request, credential.accessKey);
  const event = announce(context, actor, 's3:ObjectRemoved:Delete', bucket, key);
  await context.store.commit([{ type: 'object-deleted', bucket, key }, ...event]);
}

export async function deleteObject(context: S3Context, request: SignedRequest): Promise<void> {
  if (request.headers['if-match'] !== undefined) {
    checkWrite(request.headers, context.store.bucket(request.bucket).objects.get(request.key));
  }
  await removeObject(context, request, request.key);
  sendEmpty(request.response, 204);
}

// --- tags

export async function getTagging(context: S3Context, request: SignedRequest): Promise<void> {
  sendXml(request.response, writeTagging(findObject(context, request.bucket, request.key).tags));
}

async function setTags(
  context: S3Context,
  request: SignedRequest,
  tags: StoredObject['tags'],
  name: EventName,
): Promise<void> {
  const { bucket, key, credential } = request;
  const object = { ...findObject(context, bucket, key), tags };
  const event = announce(context, actorOf(request, credential.accessKey), name, bucket, key, object);
  await context.store.commit([{ type: 'object', bucket, key, object }, ...event]);
}

export async function putTagging(context: S3Context, request: SignedRequest): Promise<void> {
  await setTags(context, request, readTagging(await receiveText(request)), 's3:ObjectCreated:PutTagging');
  sendEmpty(request.response, 200);
}

export async function deleteTagging(context: S3Context, request: SignedRequest): Promise<void> {
  await setTags(context, request, [], 's3:ObjectCreated:DeleteTagging');
  sendEmpty(request.response, 204);
}
