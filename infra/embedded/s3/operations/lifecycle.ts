import { z } from 'zod';
import { S3Error } from '../protocol/errors.ts';
import { container, parseXml, repeated, tag, xmlDocument } from '../protocol/xml.ts';
import type { Bucket, Change, LifecycleRule, StoredObject, Upload } from '../storage/catalog.ts';
import { announce, type S3Context } from './context.ts';

/**
 * Deletion by age. Rules have a prefix and whole days; unfinished uploads that nothing was added to for a day go
 * without any rule, as with MinIO (`stale_uploads_expiry`).
 */

const DAY_MS = 24 * 3600_000;
const STALE_UPLOAD_MS = DAY_MS;

/** S3 counts whole days and rounds up to the next midnight UTC; MinIO's ExpectedExpiryTime does the same. */
export function expiresAt(since: number, days: number): number {
  return Math.floor((since + (days + 1) * DAY_MS) / DAY_MS) * DAY_MS;
}

const days = z
  .string()
  .regex(/^[1-9]\d{0,5}$/)
  .transform(Number);

const ruleDocument = z
  .strictObject({
    ID: z.string().max(255).optional(),
    Status: z.enum(['Enabled', 'Disabled']),
    Prefix: z.string().optional(),
    Filter: container(
      z.strictObject({
        Prefix: z.string().optional(),
        And: z.strictObject({ Prefix: z.string() }).optional(),
      }),
    ).optional(),
    Expiration: z.strictObject({ Days: days }).optional(),
    AbortIncompleteMultipartUpload: z.strictObject({ DaysAfterInitiation: days }).optional(),
  })
  .refine((rule) => rule.Expiration || rule.AbortIncompleteMultipartUpload, 'a rule needs an action');

const lifecycleDocument = z.object({
  LifecycleConfiguration: z.object({
    Rule: repeated(ruleDocument).refine(
      (rules) => rules.length >= 1 && rules.length <= 1000,
      '1 to 1000 rules',
    ),
  }),
});

/**
 * Strict: a rule with a condition or action that we do not know (a tag, a size, a date, a transition) is refused,
 * for leaving its condition out would delete what it was not meant for.
 * @throws {S3Error} MalformedXML
 */
export function readLifecycle(text: string): LifecycleRule[] {
  const rules = parseXml(text, lifecycleDocument).LifecycleConfiguration.Rule;
  return rules.map(({ ID, Status, Prefix, Filter, Expiration, AbortIncompleteMultipartUpload }, index) => ({
    id: ID || `rule-${index + 1}`,
    enabled: Status === 'Enabled',
    prefix: Filter?.And?.Prefix ?? Filter?.Prefix ?? Prefix ?? '',
    ...(Expiration && { expireAfterDays: Expiration.Days }),
    ...(AbortIncompleteMultipartUpload && {
      abortUploadsAfterDays: AbortIncompleteMultipartUpload.DaysAfterInitiation,
    }),
  }));
}

/** @throws {S3Error} NoSuchLifecycleConfiguration when there are no rules */
export function writeLifecycle(rules: readonly LifecycleRule[]): string {
  if (rules.length === 0) throw new S3Error('NoSuchLifecycleConfiguration');
  return xmlDocument(
    'LifecycleConfiguration',
    rules.map(({ id, enabled, prefix, expireAfterDays, abortUploadsAfterDays }) =>
      tag(
        'Rule',
        tag('ID', id),
        tag('Status', enabled ? 'Enabled' : 'Disabled'),
        tag('Filter', tag('Prefix', prefix)),
        expireAfterDays === undefined ? undefined : tag('Expiration', tag('Days', expireAfterDays)),
        abortUploadsAfterDays === undefined
          ? undefined
          : tag('AbortIncompleteMultipartUpload', tag('DaysAfterInitiation', abortUploadsAfterDays)),
      ),
    ),
  );
}

/** Who the event of an expired object names. */
const ACTOR = { accessKey: '', address: '', userAgent: 'Internal: [ILM-Expiry]', requestId: '' };
/** One journal entry each: keeps a sweep of many objects from holding up requests. */
const BATCH = 100;

type Expired =
  | { bucket: string; key: string; object: StoredObject }
  | { bucket: string; uploadId: string; upload: Upload };

/** What has passed its age. */
function* expiredAt(now: number, buckets: ReadonlyMap<string, Bucket>): Generator<Expired> {
  for (const [bucket, { objects, uploads, lifecycle }] of buckets) {
    const rules = lifecycle.filter((rule) => rule.enabled);
    const isOver = (key: string, since: number, age: (rule: LifecycleRule) => number | undefined): boolean =>
      rules.some((rule) => {
        const limit = age(rule);
        return limit !== undefined && key.startsWith(rule.prefix) && now >= expiresAt(since, limit);
      });
    for (const [key, object] of objects.entries()) {
      if (isOver(key, object.modifiedAt, (rule) => rule.expireAfterDays)) yield { bucket, key, object };
    }
    for (const [uploadId, upload] of uploads) {
      const { key, startedAt, parts } = upload;
      const lastActive = [...parts.values()].reduce(
        (last, part) => Math.max(last, part.uploadedAt),
        startedAt,
      );
      const stale = now - lastActive >= STALE_UPLOAD_MS;
      if (stale || isOver(key, startedAt, (rule) => rule.abortUploadsAfterDays))
        yield { bucket, uploadId, upload };
    }
  }
}

/** The changes that delete it; none if it was replaced or went on since it was found. */
function deletion(context: S3Context, expired: Expired): Change[] {
  const { bucket } = expired;
  const present = context.store.catalog.buckets.get(bucket);
  if ('upload' in expired) {
    const { uploadId, upload } = expired;
    return present?.uploads.get(uploadId) === upload ? [{ type: 'upload-aborted', bucket, uploadId }] : [];
  }
  const { key, object } = expired;
  if (present?.objects.get(key) !== object) return [];
  const event = announce(context, ACTOR, 's3:ObjectRemoved:Delete', bucket, key);
  return [{ type: 'object-deleted', bucket, key }, ...event];
}

/** Deletes what has passed its age. @returns how many objects and uploads were found */
export async function sweepExpired(context: S3Context): Promise<number> {
  const expired = [...expiredAt(context.now(), context.store.catalog.buckets)];
  for (let start = 0; start < expired.length; start += BATCH) {
    await context.store.commit(
      expired.slice(start, start + BATCH).flatMap((entry) => deletion(context, entry)),
    );
  }
  return expired.length;
}
