/**
 * Makes the media bucket what the system expects of it, and ends. Environment:
 *   AIMA_S3_ENDPOINT, AIMA_S3_REGION (us-east-1), AIMA_S3_BUCKET (media)
 *   AIMA_S3_QUEUE_ARN   what the store calls the target of its events; where it is not set, those of MinIO are tried
 *   AIMA_SECRETS_DIR    folder with s3-access-key and s3-secret-key
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { prepareBucket } from './prepare.ts';

const Environment = z.object({
  AIMA_S3_ENDPOINT: z.url({ protocol: /^https?$/ }),
  AIMA_S3_REGION: z.string().min(1).default('us-east-1'),
  AIMA_S3_BUCKET: z.string().min(1).default('media'),
  AIMA_S3_QUEUE_ARN: z.string().min(1).optional(),
  AIMA_SECRETS_DIR: z.string().min(1),
});

async function main(): Promise<void> {
  // An empty value is an unset one, as everywhere.
  const given = Object.fromEntries(Object.entries(process.env).filter(([, value]) => value));
  const parsed = Environment.safeParse(given);
  if (!parsed.success) throw new Error(`the environment is not complete:\n${z.prettifyError(parsed.error)}`);
  const environment = parsed.data;
  const secret = (name: string) => readFileSync(join(environment.AIMA_SECRETS_DIR, name), 'utf8').trim();
  const { targets, missing } = await prepareBucket({
    endpoint: environment.AIMA_S3_ENDPOINT,
    region: environment.AIMA_S3_REGION,
    bucket: environment.AIMA_S3_BUCKET,
    accessKey: secret('s3-access-key'),
    secretKey: secret('s3-secret-key'),
    ...(environment.AIMA_S3_QUEUE_ARN && { queueArn: environment.AIMA_S3_QUEUE_ARN }),
  });
  const events = targets.length > 0 ? `; events go to ${targets.join(' and ')}` : '';
  console.log(`objects: the bucket ${environment.AIMA_S3_BUCKET} is ready${events}`);
  for (const sentence of missing) console.log(`objects: ${sentence}`);
}

main().catch((error: unknown) => {
  console.error(`objects: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
});
