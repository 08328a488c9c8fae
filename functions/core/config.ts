/**
 * Configuration, read once: environment variables for what may be seen, one file each for what
 * may not (OpenFaaS mounts secrets as files; the embedded system keeps them in its data folder).
 * All faults are listed at once.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const flag = z.enum(['0', '1']).transform((value) => value === '1');
const count = z.coerce.number().int().nonnegative();
const dollars = z.coerce
  .number()
  .nonnegative()
  .transform((value) => Math.round(value * 1e6));

const Environment = z.object({
  AIMA_SECRETS_DIR: z.string().default('/var/openfaas/secrets'),
  /** Where the `local` provider keeps what it knows of its processes. */
  AIMA_DATA_DIR: z.string().default('./data'),
  /** Where workers of the `local` provider find models; their own default where it is not set. */
  AIMA_MODELS_DIR: z.string().optional(),
  AIMA_DATABASE_URL: z.url().default('postgres://aima_functions@127.0.0.1:54320/aima'),
  /** Connections of one function process: each waits for Postgres only, so few suffice. */
  AIMA_DATABASE_CONNECTIONS: count.default(8),
  AIMA_MQTT_URL: z.url().default('mqtt://127.0.0.1:1883'),
  AIMA_S3_ENDPOINT: z.url().default('http://127.0.0.1:9000'),
  /** The object store as browsers and workers reach it; presigned URLs are signed for this host. */
  AIMA_S3_PUBLIC_ENDPOINT: z.url().optional(),
  AIMA_S3_REGION: z.string().default('us-east-1'),
  AIMA_S3_BUCKET: z.string().default('media'),
  AIMA_GATEWAY_URL: z.url().default('http://127.0.0.1:8080'),
  /** Providers that may be rented from, in order of preference at equal cost. */
  AIMA_PROVIDERS: z
    .string()
    .default('local')
    .transform((text) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean),
    ),
  /** Instances that may live at the same time, over all providers. */
  AIMA_MAX_INSTANCES: count.default(4),
  /** Worker processes that the `local` provider runs side by side. */
  AIMA_LOCAL_SLOTS: count.default(1),
  AIMA_MAX_DOLLARS_PER_HOUR: dollars.default(2_000_000),
  AIMA_MAX_DOLLARS_PER_MONTH: dollars.default(20_000_000),
  /** What an hour of waiting for a result is worth: how much more may be paid to have it sooner. */
  AIMA_WAIT_DOLLARS_PER_HOUR: dollars.default(100_000),
  /** The longest a lease may live, whatever happens. */
  AIMA_MAX_LEASE_MINUTES: count.default(360),
  AIMA_BOOT_TIMEOUT_SECONDS: count.default(600),
  /** Three heartbeats missed and a little more (a worker's heart beats every 10 s). */
  AIMA_LOST_CONTACT_SECONDS: count.default(45),
  AIMA_UPLOAD_EXPIRY_HOURS: count.default(24),
  AIMA_MAX_MEDIUM_BYTES: count.default(50 * 2 ** 30),
  /** Callbacks and media URLs on private addresses: only where everybody who submits may reach them anyway. */
  AIMA_ALLOW_PRIVATE_ADDRESSES: flag.default(false),
});

export interface Config extends Readonly<z.infer<typeof Environment>> {
  /** The value of a secret. Throws when it is missing: a function that needs it cannot run. */
  secret(name: string): string;
}

/** @throws Error that names every variable at fault. */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const parsed = Environment.safeParse(env);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`The configuration is wrong:\n  ${faults.join('\n  ')}`);
  }
  const values = new Map<string, string>();
  return Object.freeze({
    ...parsed.data,
    secret(name: string): string {
      let value = values.get(name);
      if (value === undefined) {
        try {
          value = readFileSync(join(parsed.data.AIMA_SECRETS_DIR, name), 'utf8').trim();
        } catch (cause) {
          throw new Error(`The secret ${name} is missing in ${parsed.data.AIMA_SECRETS_DIR}.`, { cause });
        }
        values.set(name, value);
      }
      return value;
    },
  });
}
