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
const port = z.coerce.number().int().min(1).max(65_535);
/** Given in dollars, kept in micro-dollars; so are the defaults below, which come after the conversion. */
const dollars = z.coerce
  .number()
  .nonnegative()
  .transform((value) => Math.round(value * 1e6));

function names(byDefault: string) {
  return z
    .string()
    .default(byDefault)
    .transform((text) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter(Boolean),
    );
}

const Environment = z.object({
  AIMA_SECRETS_DIR: z.string().default('/var/openfaas/secrets'),
  /** Where the `local` provider keeps what it knows of its processes. */
  AIMA_DATA_DIR: z.string().default('./data'),
  /** Where workers of the `local` provider find models; their own default where it is not set. */
  AIMA_MODELS_DIR: z.string().optional(),
  /** Which models they take; a container image brings its own. */
  AIMA_MODEL_TIER: z.enum(['packaged', 'small', 'large']).default('packaged'),
  AIMA_DATABASE_URL: z.url().default('postgres://aima_functions@127.0.0.1:54320/aima'),
  /** Connections of one function process: each waits for Postgres only, so few suffice. */
  AIMA_DATABASE_CONNECTIONS: count.default(8),
  AIMA_MQTT_URL: z.url().default('mqtt://127.0.0.1:1883'),
  AIMA_S3_ENDPOINT: z.url().default('http://127.0.0.1:9000'),
  /** The object store as browsers reach it; presigned URLs are signed for this host. */
  AIMA_S3_PUBLIC_ENDPOINT: z.url().optional(),
  /** The same as rented workers reach it, where that differs. */
  AIMA_S3_WORKER_ENDPOINT: z.url().optional(),
  AIMA_S3_REGION: z.string().default('us-east-1'),
  AIMA_S3_BUCKET: z.string().default('media'),
  AIMA_GATEWAY_URL: z.url().default('http://127.0.0.1:8080'),
  /** Providers that may be rented from, in order of preference at equal cost: providers/providers.ts lists them. */
  AIMA_PROVIDERS: names('local'),
  /** Where rented workers reach this server; without it only providers on this machine are used (public-address.ts). */
  AIMA_PUBLIC_HOST: z.string().optional(),
  AIMA_PUBLIC_POSTGRES_PORT: port.default(5432),
  AIMA_PUBLIC_MQTT_PORT: port.default(8883),
  /** The container image that rented machines run. */
  AIMA_WORKER_IMAGE: z.string().optional(),
  AIMA_RUNPOD_URL: z.url().default('https://api.runpod.io'),
  /** SECURE: data centres. COMMUNITY: other people's machines, cheaper. */
  AIMA_RUNPOD_CLOUDS: names('SECURE,COMMUNITY'),
  /** The job runtime, which is another host than the control plane. */
  AIMA_RUNPOD_SERVERLESS_URL: z.url().default('https://api.runpod.ai'),
  AIMA_RUNPOD_ENDPOINT: z.string().optional(),
  AIMA_VAST_URL: z.url().default('https://console.vast.ai'),
  AIMA_SHADEFORM_URL: z.url().default('https://api.shadeform.ai'),
  AIMA_SALAD_URL: z.url().default('https://api.salad.com'),
  AIMA_SALAD_ORGANIZATION: z.string().optional(),
  AIMA_SALAD_PROJECT: z.string().optional(),
  /** Own machines: user@host or user@host:port, separated by commas. */
  AIMA_SSH_HOSTS: names(''),
  /** Space for the container image and what it fetches. */
  AIMA_DISK_GB: count.default(40),
  AIMA_MIN_VRAM_MB: count.default(15_000),
  /** What the worker's image needs of the driver. */
  AIMA_MIN_CUDA: z.coerce.number().nonnegative().default(12.4),
  AIMA_MIN_RELIABILITY: z.coerce.number().min(0).max(1).default(0.95),
  /** Only offers whose region contains one of these, without regard to case; empty: all. */
  AIMA_REGIONS: names(''),
  /** 1: machines that may be taken away are rented too where they are expected to be cheaper all the same. */
  AIMA_INTERRUPTIBLE: flag.default(true),
  /** Instances that may live at the same time, over all providers. */
  AIMA_MAX_INSTANCES: count.default(4),
  /** Worker processes that the `local` provider runs side by side. */
  AIMA_LOCAL_SLOTS: count.default(1),
  /** Of one offer. */
  AIMA_MAX_DOLLARS_PER_HOUR: dollars.default(2_000_000),
  /** Of everything that runs at the same time. */
  AIMA_MAX_TOTAL_DOLLARS_PER_HOUR: dollars.default(5_000_000),
  AIMA_MAX_DOLLARS_PER_DAY: dollars.default(10_000_000),
  AIMA_MAX_DOLLARS_PER_MONTH: dollars.default(20_000_000),
  AIMA_MAX_DOLLARS_PER_USER_PER_DAY: dollars.default(10_000_000),
  /** A job that may cost more waits for a person's word; 0: every one that costs anything. */
  AIMA_CONFIRM_ABOVE_DOLLARS: dollars.default(2_000_000),
  /** What an hour of waiting for a result is worth: how much more may be paid to have it sooner. */
  AIMA_WAIT_DOLLARS_PER_HOUR: dollars.default(100_000),
  /** The longest a lease may live, whatever happens. */
  AIMA_MAX_LEASE_MINUTES: count.default(360),
  /** From the request until the worker program begins: the image is pulled in it. */
  AIMA_PULL_TIMEOUT_SECONDS: count.default(900),
  /** From there until it says that it is ready: device test and models. */
  AIMA_LOAD_TIMEOUT_SECONDS: count.default(300),
  /** From the claim of a job until the first sign of progress. */
  AIMA_FIRST_PROGRESS_TIMEOUT_SECONDS: count.default(600),
  /** A machine that is not proven gone after so long is told to a human. */
  AIMA_ALERT_AFTER_MINUTES: count.default(5),
  /** A medium longer than this may be cut over several machines; 0: never. */
  AIMA_SPLIT_ABOVE_MINUTES: z.coerce.number().nonnegative().default(0),
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
  /** Whether a secret is there and not empty, for parts that can do without: OpenFaaS wants all that stack.yml names. */
  hasSecret(name: string): boolean;
}

/** @throws Error that names every variable at fault. */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  // An empty value is an unset one: stack.yml hands every variable on, set or not.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = Environment.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`The configuration is wrong:\n  ${faults.join('\n  ')}`);
  }
  const values = new Map<string, string>();
  const read = (name: string): string => {
    let value = values.get(name);
    if (value === undefined) {
      value = readFileSync(join(parsed.data.AIMA_SECRETS_DIR, name), 'utf8').trim();
      values.set(name, value);
    }
    return value;
  };
  return Object.freeze({
    ...parsed.data,
    hasSecret(name: string): boolean {
      try {
        return read(name) !== '';
      } catch {
        return false;
      }
    },
    secret(name: string): string {
      try {
        return read(name);
      } catch (cause) {
        throw new Error(`The secret ${name} is missing in ${parsed.data.AIMA_SECRETS_DIR}.`, { cause });
      }
    },
  });
}
