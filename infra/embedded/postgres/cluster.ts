/** The files of a cluster: makes them with initdb once, and says how a server on them is set. */

import { spawn } from 'node:child_process';
import { chown, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Account } from './account.ts';

/**
 * Settings of every start, given on the command line so that a new version of this program changes them.
 * Meant for a server of 8 GB that mostly idles, with this machine's programs as its only clients.
 */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  shared_buffers: '128MB',
  max_connections: '100',
  max_wal_size: '256MB',
  // Anybody who can log in may sort whatever he makes up, and send messages that nobody reads: a rented
  // machine must not fill our disk with either. Ours spill nothing like it and use no NOTIFY.
  temp_file_limit: '1GB',
  max_notify_queue_pages: '1024',
  // Three processes and a launcher less at rest: nothing here reads so much that asynchronous
  // reads by helper processes would pay, and nothing subscribes to a publication.
  io_method: 'sync',
  max_logical_replication_workers: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] ',
  // Statements and details can hold passwords and tokens; the log must not.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
};

/** Programs started for Postgres see no variable of ours, and English messages that we can read. */
export const POSTGRES_ENV = { PATH: process.env.PATH ?? '', LC_ALL: 'C' };

/** Arguments that make `postgres` serve the cluster in `clusterDir` on `port`. */
export function serverArguments(clusterDir: string, port: number): string[] {
  return ['-D', clusterDir, '-p', String(port), ...settingArguments(SETTINGS)];
}

/** Of several values for one setting the last counts. */
export function settingArguments(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Where the files of the cluster lie inside the folder that holds all of Postgres. */
export function clusterIn(dir: string): string {
  return join(dir, 'cluster');
}

/**
 * The cluster inside `dir`, made if there is none: superuser `postgres`, UTF-8, sorted by code point
 * (C.UTF-8 is the same on every machine), passwords by SCRAM for everybody.
 * It appears under its name only when complete, so a crash in the middle leaves nothing to repair.
 */
export async function ensureCluster(
  dir: string,
  bin: string,
  account: Account,
  superuserPassword: string,
): Promise<string> {
  const cluster = clusterIn(dir);
  if (await stat(join(cluster, 'PG_VERSION')).catch(() => undefined)) return cluster;

  const unfinished = join(dir, 'cluster.unfinished');
  const passwordFile = join(dir, 'superuser-password');
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  try {
    await writeFile(passwordFile, superuserPassword, { mode: 0o600 });
    if (account) {
      await chown(unfinished, account.uid, account.gid);
      await chown(passwordFile, account.uid, account.gid);
    }
    await runInitdb(bin, account, [
      ...['-D', unfinished, '--username=postgres', `--pwfile=${passwordFile}`],
      ...['--auth=scram-sha-256', '--encoding=UTF8', '--locale=C.UTF-8'],
    ]);
  } finally {
    await rm(passwordFile, { force: true });
  }
  await rename(unfinished, cluster);
  return cluster;
}

async function runInitdb(bin: string, account: Account, args: string[]): Promise<void> {
  const child = spawn(join(bin, 'initdb'), args, {
    ...account,
    cwd: '/',
    env: POSTGRES_ENV,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  if (code !== 0) throw new Error(`initdb failed (${code}): ${output.trim()}`);
}
