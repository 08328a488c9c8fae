import { z } from 'zod';
import { mayUse } from '../auth/access.ts';
import { readNotifications, writeNotifications } from '../events/messages.ts';
import { sendEmpty, sendXml } from '../protocol/answer.ts';
import { receiveText } from '../protocol/body.ts';
import { S3Error } from '../protocol/errors.ts';
import { checkKey, type SignedRequest } from '../protocol/request.ts';
import { container, type Markup, parseXml, repeated, tag, xmlDocument } from '../protocol/xml.ts';
import type { BucketSettings } from '../storage/catalog.ts';
import type { S3Context } from './context.ts';
import { readLifecycle, writeLifecycle } from './lifecycle.ts';
import { removeObject } from './objects.ts';

/** Operations on one bucket: making and removing it, its settings, and the deletion of many objects at once. */

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; `minio` is the health path. */
function checkBucketName(name: string): void {
  const wellFormed = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..');
  if (!wellFormed || /^\d+\.\d+\.\d+\.\d+$/.test(name) || name === 'minio')
    throw new S3Error('InvalidBucketName');
}

const createDocument = z.object({
  CreateBucketConfiguration: container(z.object({ LocationConstraint: z.string().optional() })),
});

export async function createBucket(context: S3Context, request: SignedRequest): Promise<void> {
  const { bucket } = request;
  checkBucketName(bucket);
  const text = await receiveText(request);
  const location = text && parseXml(text, createDocument).CreateBucketConfiguration.LocationConstraint;
  if (location && location !== context.region) throw new S3Error('IllegalLocationConstraintException');
  if (context.store.catalog.buckets.has(bucket)) throw new S3Error('BucketAlreadyOwnedByYou');
  const settings = { createdAt: context.now(), lifecycle: [], notifications: [] };
  await context.store.commit([{ type: 'bucket', bucket, settings }]);
  sendEmpty(request.response, 200, { location: `/${bucket}` });
}

export async function headBucket(context: S3Context, request: SignedRequest): Promise<void> {
  context.store.bucket(request.bucket);
  sendEmpty(request.response, 200, { 'x-amz-bucket-region': context.region });
}

export async function deleteBucket(context: S3Context, request: SignedRequest): Promise<void> {
  const { bucket } = request;
  if (context.store.bucket(bucket).objects.size > 0) throw new S3Error('BucketNotEmpty');
  await context.store.commit([{ type: 'bucket-deleted', bucket }]);
  sendEmpty(request.response, 204);
}

export async function getLocation(context: S3Context, request: SignedRequest): Promise<void> {
  context.store.bucket(request.bucket);
  // S3's oldest region has no name here.
  sendXml(
    request.response,
    xmlDocument('LocationConstraint', context.region === 'us-east-1' ? '' : context.region),
  );
}

/** Versioning was never enabled. */
export async function getVersioning(context: S3Context, request: SignedRequest): Promise<void> {
  context.store.bucket(request.bucket);
  sendXml(request.response, xmlDocument('VersioningConfiguration'));
}

/** Settings that no bucket here has, answered as S3 does when there are none. */
export function absent(code: 'NoSuchBucketPolicy' | 'NoSuchCORSConfiguration' | 'NoSuchTagSet') {
  return async (context: S3Context, request: SignedRequest): Promise<void> => {
    context.store.bucket(request.bucket);
    throw new S3Error(code);
  };
}

async function changeSettings(
  context: S3Context,
  { bucket }: SignedRequest,
  changed: Partial<BucketSettings>,
): Promise<void> {
  const { createdAt, lifecycle, notifications } = context.store.bucket(bucket);
  const settings = { createdAt, lifecycle, notifications, ...changed };
  await context.store.commit([{ type: 'bucket', bucket, settings }]);
}

export async function getNotifications(context: S3Context, request: SignedRequest): Promise<void> {
  sendXml(request.response, writeNotifications(context.store.bucket(request.bucket).notifications));
}

export async function putNotifications(context: S3Context, request: SignedRequest): Promise<void> {
  const notifications = readNotifications(await receiveText(request), context.arns);
  await changeSettings(context, request, { notifications });
  sendEmpty(request.response, 200);
}

export async function getLifecycle(context: S3Context, request: SignedRequest): Promise<void> {
  sendXml(request.response, writeLifecycle(context.store.bucket(request.bucket).lifecycle));
}

export async function putLifecycle(context: S3Context, request: SignedRequest): Promise<void> {
  const lifecycle = readLifecycle(await receiveText(request));
  await changeSettings(context, request, { lifecycle });
  sendEmpty(request.response, 200);
}

export async function deleteLifecycle(context: S3Context, request: SignedRequest): Promise<void> {
  await changeSettings(context, request, { lifecycle: [] });
  sendEmpty(request.response, 204);
}

const deleteDocument = z.object({
  Delete: z.object({
    Object: repeated(z.object({ Key: z.string(), VersionId: z.string().optional() })).refine(
      (objects) => objects.length >= 1 && objects.length <= 1000,
      '1 to 1000 objects',
    ),
    Quiet: z.string().optional(),
  }),
});

/** Deletes up to 1000 objects. Each is allowed, deleted and reported by itself; keys that are not there count as deleted. */
export async function deleteObjects(context: S3Context, request: SignedRequest): Promise<void> {
  const { bucket, credential } = request;
  const { Delete } = parseXml(await receiveText(request), deleteDocument);
  context.store.bucket(bucket);
  const quiet = Delete.Quiet?.toLowerCase() === 'true';
  const removeOne = async (key: string, versionId: string | undefined): Promise<Markup | undefined> => {
    try {
      checkKey(key);
      if (!mayUse(credential, 'delete', bucket, key)) throw new S3Error('AccessDenied');
      if (versionId && versionId !== 'null') throw new S3Error('NoSuchVersion');
      await removeObject(context, request, key);
      return quiet ? undefined : tag('Deleted', tag('Key', key));
    } catch (error) {
      if (!(error instanceof S3Error)) throw error;
      return tag('Error', tag('Key', key), tag('Code', error.code), tag('Message', error.message));
    }
  };
  const results = await Promise.all(Delete.Object.map(({ Key, VersionId }) => removeOne(Key, VersionId)));
  sendXml(request.response, xmlDocument('DeleteResult', results));
}
