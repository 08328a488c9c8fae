/**
 * The secrets of an installation: one file each in a private folder, as OpenFaaS mounts them.
 * Whatever is missing is made from the system's randomness; what is there is never changed.
 */

import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz';
const UPPER_CASE = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** How each secret is made. 256 bits where a machine types it; access keys are names in S3's usual shape. */
const GENERATORS = {
  'owner-id': () => characters(BASE32, 6),
  'api-token': token,
  'connector-token': token,
  'basic-auth-user': () => 'admin',
  'basic-auth-password': token,
  'postgres-password': token,
  'database-password': token,
  'mqtt-functions-password': token,
  'mqtt-connector-password': token,
  'mqtt-objects-password': token,
  'bridge-token': token,
  'metrics-token': token,
  's3-access-key': () => characters(UPPER_CASE, 20),
  's3-secret-key': token,
  's3-inbox-access-key': () => characters(UPPER_CASE, 20),
  's3-inbox-secret-key': token,
  'webhook-secret': token,
  'lease-key': token,
} as const;

export type SecretName = keyof typeof GENERATORS;
export type Secrets = Record<SecretName, string>;

/**
 * Reads all secrets in `dir` and makes those that are missing (folder mode 0700, files 0600).
 * @throws with a sentence where a file is there but empty.
 */
export async function ensureSecrets(dir: string): Promise<Secrets> {
  await mkdir(dir, { recursive: true });
  await chmod(dir, 0o700);
  const secrets = Object.entries(GENERATORS).map(async ([name, generate]) => {
    const path = join(dir, name);
    const value = (await readIfThere(path)) ?? (await create(path, generate()));
    if (value === '')
      throw new Error(`the secret ${path} is empty: write it, or delete the file to have one made`);
    return [name, value];
  });
  return Object.fromEntries(await Promise.all(secrets));
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    await chmod(path, 0o600);
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Appears under its name only when it is on the disk: a power cut must not leave half a password. */
async function create(path: string, value: string): Promise<string> {
  const unfinished = `${path}.${randomUUID()}`;
  const file = await open(unfinished, 'wx', 0o600);
  try {
    await file.writeFile(value);
    await file.sync();
    await link(unfinished, path);
    return value;
  } finally {
    await file.close();
    await rm(unfinished);
  }
}

function token(): string {
  return randomBytes(32).toString('base64url');
}

function characters(alphabet: string, count: number): string {
  return Array.from({ length: count }, () => alphabet[randomInt(alphabet.length)]).join('');
}
