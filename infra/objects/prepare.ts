/**
 * Makes the media bucket what the system expects of it, through the S3 API alone, so that it is the
 * same with the embedded server and with MinIO's successors: the bucket, its events on MQTT, and
 * the age at which what nobody deletes goes by itself. Runs at every start; changes nothing twice.
 */
import { Client, NotificationConfig, QueueConfig } from 'minio';

export async function prepareBucket(options: {
  endpoint: string;
  region: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  /** What the object store calls its MQTT target; MinIO prints it at start. */
  queueArn?: string;
  /** Days after which an upload goes, analysed or not. */
  mediaDays?: number;
}): Promise<void> {
  const url = new URL(options.endpoint);
  const client = new Client({
    endPoint: url.hostname,
    port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    useSSL: url.protocol === 'https:',
    region: options.region,
    accessKey: options.accessKey,
    secretKey: options.secretKey,
  });
  if (!(await client.bucketExists(options.bucket))) {
    await client.makeBucket(options.bucket, options.region).catch((error: { code?: string }) => {
      if (error.code !== 'BucketAlreadyOwnedByYou') throw error;
    });
  }

  const config = new NotificationConfig();
  for (const prefix of ['uploads/', 'inbox/']) {
    const queue = new QueueConfig(options.queueArn ?? `arn:minio:sqs:${options.region}:AIMA:mqtt`);
    for (const event of [
      's3:ObjectCreated:Put',
      's3:ObjectCreated:Post',
      's3:ObjectCreated:Copy',
      's3:ObjectCreated:CompleteMultipartUpload',
    ]) {
      queue.addEvent(event);
    }
    queue.addFilterPrefix(prefix);
    config.add(queue);
  }
  await client.setBucketNotification(options.bucket, config);

  const days = options.mediaDays ?? 30;
  await client.setBucketLifecycle(options.bucket, {
    Rule: ['uploads/', 'inbox/'].map((prefix) => ({
      ID: `expire-${prefix.slice(0, -1)}`,
      Status: 'Enabled',
      Filter: { Prefix: prefix },
      Expiration: { Days: days },
    })),
  });
}
