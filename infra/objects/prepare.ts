/**
 * Makes the media bucket what the system expects of it, through the S3 API alone, so that it is the
 * same with the embedded server and with anybody else's: the bucket, its events, and the age at which
 * what nobody deletes goes by itself. Runs at every start; changes nothing twice.
 *
 * Not every store has events and lifecycle rules. What is missing is said, with what does instead.
 */
import { type Client, NotificationConfig, QueueConfig } from 'minio';
import { watchedPrefixes } from './prefixes.ts';
import { storeClient } from './store-client.ts';

interface PrepareOptions {
  endpoint: string;
  region: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  /** What the object store calls the target of its events; where it is not given, those of MinIO are tried. */
  queueArn?: string;
  /** Days after which an upload goes, analysed or not. */
  mediaDays?: number;
}

export interface Prepared {
  /** Where the store sends the events; none where it has no events. */
  targets: readonly string[];
  /** Whether old uploads go by themselves. */
  expires: boolean;
  /** For each thing that this store cannot do, a sentence for the operator. */
  missing: string[];
}

const createdEvents = [
  's3:ObjectCreated:Put',
  's3:ObjectCreated:Post',
  's3:ObjectCreated:Copy',
  's3:ObjectCreated:CompleteMultipartUpload',
];

/** @throws with a sentence where the store has events, but no target that they could go to */
export async function prepareBucket(options: PrepareOptions): Promise<Prepared> {
  const { bucket, region, mediaDays = 30 } = options;
  const client = storeClient(options);
  if (!(await client.bucketExists(bucket))) {
    await client.makeBucket(bucket, region).catch((error: { code?: string }) => {
      if (error.code !== 'BucketAlreadyOwnedByYou') throw error;
    });
  }
  const targets = await setEvents(
    client,
    bucket,
    options.queueArn ? [[options.queueArn]] : minioTargets(region),
  );
  const expires = await setExpiry(client, bucket, mediaDays);
  const missing: string[] = [];
  if (targets.length === 0) {
    missing.push(
      'the object store has no bucket events: run the bridge beside it (AIMA_BRIDGE=watch, or AIMA_BRIDGE=webhook where it can be told a webhook), else an upload is found by the sweep, minutes later',
    );
  }
  if (!expires) {
    missing.push(
      `the object store has no lifecycle rules: media stay until they are deleted; run something like "rclone delete --min-age ${mediaDays}d store:${bucket}/uploads" every day, and the same for inbox`,
    );
  }
  return { targets, expires, missing };
}

/**
 * MinIO's names for its target AIMA, best first. The region stands in them only where the server was told one.
 *
 * A target that keeps its events while the broker is away (QUEUE_DIR) sends them every 3 s, one that
 * does not sends them at once and forgets. So a second one, NOW, may stand beside AIMA, the same but
 * without QUEUE_DIR: every upload is told of twice, at once and surely, and submit-job takes it once.
 */
function minioTargets(region: string): string[][] {
  const names = (kind: string, where: string) =>
    ['AIMA', 'NOW'].map((id) => `arn:minio:sqs:${where}:${id}:${kind}`);
  return ['mqtt', 'webhook'].flatMap((kind) =>
    [region, ''].flatMap((where) => [names(kind, where), names(kind, where).slice(0, 1)]),
  );
}

/** @returns the first targets that the store accepts; none where it has no events. */
async function setEvents(
  client: Client,
  bucket: string,
  choices: readonly string[][],
): Promise<readonly string[]> {
  for (const targets of choices) {
    try {
      await client.setBucketNotification(bucket, rulesFor(targets));
    } catch (error) {
      // MinIO, of a target that it does not know.
      if ((error as { code?: string }).code === 'InvalidArgument') continue;
      if (isUnsupported(error)) return [];
      throw error;
    }
    return (await hasEvents(client, bucket)) ? targets : [];
  }
  throw new Error(
    `The object store knows no target for its events named ${[...new Set(choices.map(([first]) => first))].join(' or ')}. MinIO gets one from MINIO_NOTIFY_MQTT_ENABLE_AIMA=on, MINIO_NOTIFY_MQTT_BROKER_AIMA and MINIO_NOTIFY_MQTT_TOPIC_AIMA=aima/media/uploaded; another name of it goes into AIMA_S3_QUEUE_ARN.`,
  );
}

function rulesFor(targets: readonly string[]): NotificationConfig {
  const rules = new NotificationConfig();
  for (const target of targets) {
    for (const prefix of watchedPrefixes) {
      const queue = new QueueConfig(target);
      for (const event of createdEvents) queue.addEvent(event);
      queue.addFilterPrefix(prefix);
      rules.add(queue);
    }
  }
  return rules;
}

/** Some stores take what they do not understand for another request and answer that it went well. */
async function hasEvents(client: Client, bucket: string): Promise<boolean> {
  const { QueueConfiguration } = (await client.getBucketNotification(bucket)) as {
    QueueConfiguration?: unknown[];
  };
  return (QueueConfiguration ?? []).length > 0;
}

async function setExpiry(client: Client, bucket: string, days: number): Promise<boolean> {
  try {
    await client.setBucketLifecycle(bucket, {
      Rule: watchedPrefixes.map((prefix) => ({
        ID: `expire-${prefix.slice(0, -1)}`,
        Status: 'Enabled',
        Filter: { Prefix: prefix },
        Expiration: { Days: days },
      })),
    });
    return (await client.getBucketLifecycle(bucket)) !== null;
  } catch (error) {
    if (isUnsupported(error)) return false;
    throw error;
  }
}

/**
 * What stores answer to a request they do not have. SeaweedFS takes the one for events for one that
 * makes the bucket.
 */
function isUnsupported(error: unknown): boolean {
  const { code } = error as { code?: string };
  return ['NotImplemented', 'MethodNotAllowed', 'BucketAlreadyOwnedByYou', 'BucketAlreadyExists'].includes(
    code ?? '',
  );
}
