/**
 * Events of the bucket as MinIO sends them over MQTT, which is what submit-job reads, made of what
 * other stores say or of what a listing shows. Nothing here touches the network.
 */
import { z } from 'zod';
import { watchedPrefixes } from '../prefixes.ts';

/** S3's event message: MinIO and RustFS put EventName and Key before Records, AWS and VersityGW do not. */
const Incoming = z.looseObject({
  Records: z
    .array(
      z.looseObject({
        eventName: z.string(),
        s3: z.looseObject({
          configurationId: z.string().optional(),
          bucket: z.looseObject({ name: z.string() }),
          object: z.looseObject({ key: z.string() }),
        }),
      }),
    )
    .min(1),
});

/**
 * The message to publish, or null where it tells of no new object that concerns us: a removal, another
 * bucket, another prefix, a test event.
 *
 * @param said what a store sent to the webhook
 * @throws ZodError where it is no event of an S3 store at all
 */
export function messageOf(said: unknown, bucket: string): string | null {
  if (isTestEvent(said)) return null;
  const records = Incoming.parse(said).Records.flatMap((record) => {
    const name = record.eventName.replace(/^(?!s3:)/, 's3:');
    const key = keyOf(record.s3);
    const concerns =
      name.startsWith('s3:ObjectCreated:') &&
      record.s3.bucket.name === bucket &&
      key !== null &&
      watchedPrefixes.some((prefix) => key.startsWith(prefix));
    if (!concerns) return [];
    const object = { ...record.s3.object, key: escapeKey(key) };
    return [{ key, record: { ...record, eventName: name, s3: { ...record.s3, object } } }];
  });
  return records.length === 0 ? null : message(bucket, records);
}

/** What stores send to find out whether somebody listens. */
function isTestEvent(said: unknown): boolean {
  return z.looseObject({ Event: z.literal('s3:TestEvent') }).safeParse(said).success;
}

export interface ListedObject {
  key: string;
  sizeBytes: number;
  etag: string;
}

/** The message that tells of objects found in a listing. */
export function messageOfListed(
  objects: readonly ListedObject[],
  { bucket, region, atMs }: { bucket: string; region: string; atMs: number },
): string {
  const records = objects.map(({ key, sizeBytes, etag }) => ({
    key,
    record: {
      eventVersion: '2.0',
      eventSource: 'aima:watch',
      awsRegion: region,
      eventTime: new Date(atMs).toISOString(),
      eventName: 's3:ObjectCreated:Put',
      s3: {
        s3SchemaVersion: '1.0',
        configurationId: 'watch',
        bucket: { name: bucket, arn: `arn:aws:s3:::${bucket}` },
        // As MinIO does: an empty object has no size.
        object: { key: escapeKey(key), ...(sizeBytes > 0 && { size: sizeBytes }), eTag: etag },
      },
    },
  }));
  return message(bucket, records);
}

function message(bucket: string, records: readonly { key: string; record: { eventName: string } }[]): string {
  const [first] = records;
  return JSON.stringify({
    EventName: first!.record.eventName,
    Key: `${bucket}/${first!.key}`,
    Records: records.map(({ record }) => record),
  });
}

/** What VersityGW calls its webhook (s3event/event.go): it alone sends keys as they are, unescaped. */
const plainConfiguration = 'webhook-global';

/** The key as it is in the bucket; null where its escapes are none: no object can be found by it. */
function keyOf({
  configurationId,
  object,
}: {
  configurationId?: string | undefined;
  object: { key: string };
}): string | null {
  if (configurationId === plainConfiguration) return object.key;
  try {
    return decodeURIComponent(object.key.replaceAll('+', ' '));
  } catch {
    return null;
  }
}

/** As Go's url.QueryEscape does it. */
function escapeKey(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}
