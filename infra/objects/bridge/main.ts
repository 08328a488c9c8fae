/**
 * Brings events to the broker from an object store that does not speak MQTT, as a program that runs
 * until SIGTERM. Environment:
 *   AIMA_BRIDGE           webhook: the store calls this program; watch: it looks into the bucket
 *   AIMA_BRIDGE_HOST      webhook: default 127.0.0.1
 *   AIMA_BRIDGE_PORT      webhook: default 9010, 0 for any free one
 *   AIMA_BRIDGE_SECONDS   watch: between two looks, default 10
 *   AIMA_MQTT_URL, AIMA_S3_BUCKET, AIMA_SECRETS_DIR; for watch all of AIMA_S3_*
 * Secrets: mqtt-objects-password; for webhook bridge-token, for watch s3-access-key and s3-secret-key.
 *
 * Give each store one or the other: with both every upload is told of twice, which is harmless.
 */
import { connectToBroker, type EventPublisher } from './publisher.ts';
import { readSettings, type Settings } from './settings.ts';
import { startWebhook } from './webhook.ts';

const log = (line: string): void => console.log(`bridge: ${line}`);

try {
  const settings = readSettings(process.env);
  const publisher = connectToBroker({ ...settings.mqtt, log });
  const bridge =
    settings.mode === 'webhook' ? await hear(settings, publisher) : await watch(settings, publisher);
  const end = async () => {
    await bridge.close();
    await publisher.close();
    process.exit(0);
  };
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  process.send?.({ type: 'ready', ...(bridge.port !== undefined && { port: bridge.port }) });
} catch (error) {
  console.error(`bridge: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

interface Bridge {
  port?: number;
  close(): Promise<void>;
}

async function hear(
  { host, port, token, bucket }: Extract<Settings, { mode: 'webhook' }>,
  publisher: EventPublisher,
): Promise<Bridge> {
  const webhook = await startWebhook({ host, port, token, bucket, publisher, log });
  log(`hears the object store at http://${host}:${webhook.port}`);
  return webhook;
}

async function watch(
  { everySeconds, region }: Extract<Settings, { mode: 'watch' }>,
  publisher: EventPublisher,
): Promise<Bridge> {
  // Here, so that a webhook does not pay some 30 MB for a client that it never uses.
  const { loadConfig } = await import('../../../functions/core/config.ts');
  const { openBucket } = await import('../../../functions/core/storage/bucket.ts');
  const { keepWatching } = await import('./watch.ts');
  const config = loadConfig();
  const stop = new AbortController();
  const watching = keepWatching({
    bucket: openBucket(config),
    region,
    uploadExpiryHours: config.AIMA_UPLOAD_EXPIRY_HOURS,
    everySeconds,
    publisher,
    signal: stop.signal,
    log,
  });
  log(`looks into the bucket ${config.AIMA_S3_BUCKET} every ${everySeconds} s`);
  return {
    close() {
      stop.abort();
      return watching;
    },
  };
}
