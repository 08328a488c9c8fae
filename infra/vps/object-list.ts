/**
 * Prints what is in the bucket, an object a line: name (percent-encoded), size in bytes, ETag, time of change,
 * with tabs between. Environment: AIMA_S3_ENDPOINT, AIMA_S3_REGION, AIMA_S3_BUCKET, AIMA_SECRETS_DIR.
 */
import { loadConfig } from '../../functions/core/config.ts';
import { storeClient } from '../objects/store-client.ts';

const config = loadConfig();
const client = storeClient({
  endpoint: config.AIMA_S3_ENDPOINT,
  region: config.AIMA_S3_REGION,
  accessKey: config.secret('s3-access-key'),
  secretKey: config.secret('s3-secret-key'),
});
const objects: AsyncIterable<{ name: string; size: number; etag: string; lastModified: Date }> =
  client.listObjectsV2(config.AIMA_S3_BUCKET, '', true);
for await (const { name, size, etag, lastModified } of objects) {
  console.log([encodeURIComponent(name), size, etag, lastModified.toISOString()].join('\t'));
}
