/**
 * Real Postgres without installing it: the binaries come from npm, the cluster lies in the data folder.
 *
 * A start goes: whose rights (account.ts), where (location.ts), which binaries (binaries.ts), the
 * cluster's files (cluster.ts), end what an earlier run left behind (postmaster.ts), spawn, wait until
 * the server itself says "ready" in its pid file (what pg_ctl does).
 *
 * fsync is on. After kill -9 of the server or of the whole machine the next start replays the log and
 * every committed row is there. Processes of a killed server end by themselves within moments and
 * until then block a new one, so that refusal is retried for some seconds.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Certificate } from '../../certificate/certificate.ts';
import type { Account } from './account.ts';
import { findBinaries } from './binaries.ts';
import { clusterIn, ensureCluster, POSTGRES_ENV, serverArguments } from './cluster.ts';
import { locate } from './location.ts';
import { openToOutside } from './outside.ts';
import { readPostmaster, stopLeftBehind } from './postmaster.ts';

export interface PostgresOptions {
  /** Folder of the cluster, made if missing. The caller sees to it that no other run uses it. */
  dataDir: string;
  /** TCP port on 127.0.0.1, and elsewhere with `outside`. */
  port: number;
  /** Password of the superuser `postgres`; set when the cluster is made, not changed later. */
  superuserPassword: string;
  /** With it the server listens on all addresses: to rented machines, over TLS with this certificate. */
  outside?: Certificate;
  /** Gets every line that the server logs. */
  log: (line: string) => void;
  /** Ends a start that is under way. */
  signal?: AbortSignal;
}

export interface RunningPostgres {
  port: number;
  /** The superuser's URL, password included: not for logs. */
  url: string;
  pid: number;
  /** Settles when the server has ended, for whatever reason, with that reason in words. */
  exited: Promise<string>;
  /** Ends it in order (connections are cut, everything is written); by force after half a minute. */
  stop(): Promise<void>;
}

/** Replaying 256 MB of log (max_wal_size) takes seconds, on a slow disk perhaps a minute. */
const READY_TIMEOUT_MS = 180_000;
const BLOCKED_RETRY_MS = 10_000;
const BLOCKED = /pre-existing shared memory block|lock file "postmaster\.pid" already exists/;

/**
 * Starts Postgres on the cluster in `dataDir`, making it first where there is none.
 * @throws with a sentence, and the last lines of the server's log, when it does not come up.
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const { dir, account } = await locate(options.dataDir);
  const bin = await findBinaries(account);
  const cluster = await ensureCluster(dir, bin, account, options.superuserPassword);
  const outside = options.outside ? await openToOutside(dir, account, options.outside) : [];
  const giveUpAt = performance.now() + BLOCKED_RETRY_MS;
  for (;;) {
    await stopLeftBehind(cluster);
    const server = launch(
      bin,
      [...serverArguments(cluster, options.port), ...outside],
      cluster,
      account,
      options,
    );
    try {
      await server.ready(options.signal);
      return server;
    } catch (error) {
      await server.stop();
      const blocked = BLOCKED.test((error as Error).message) && performance.now() < giveUpAt;
      if (!blocked || options.signal?.aborted) throw error;
      await sleep(200);
    }
  }
}

/**
 * Ends the server that a killed parent left behind on the cluster in `dataDir`, so that its port is free.
 * `startPostgres` does this too; this is for those who look at ports before.
 */
export async function stopOrphan(dataDir: string): Promise<void> {
  const place = await realpath(dataDir).catch(() => undefined);
  if (place !== undefined) await stopLeftBehind(clusterIn(place));
}

type Server = RunningPostgres & { ready(signal: AbortSignal | undefined): Promise<void> };

function launch(
  bin: string,
  args: string[],
  cluster: string,
  account: Account,
  options: PostgresOptions,
): Server {
  const { port, log } = options;
  const child = spawn(join(bin, 'postgres'), args, {
    ...account,
    cwd: '/',
    env: POSTGRES_ENV,
    stdio: ['ignore', 'ignore', 'pipe'],
    // A process group of its own: Ctrl-C in the terminal reaches the supervisor only, which stops in order.
    detached: true,
  });
  const tail: string[] = [];
  createInterface({ input: child.stderr }).on('line', (line) => {
    tail.push(line);
    if (tail.length > 20) tail.shift();
    log(line);
  });
  let ended = false;
  // 'close' comes after the last line of the log was read, 'error' when it could not be spawned at all.
  const exited = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(signal ? `killed by ${signal}` : `exit code ${code}`));
  }).finally(() => {
    ended = true;
  });

  async function ready(signal: AbortSignal | undefined): Promise<void> {
    const deadline = performance.now() + READY_TIMEOUT_MS;
    while (performance.now() < deadline) {
      if (ended) throw new Error(`Postgres ended at once (${await exited}):\n${tail.join('\n')}`);
      signal?.throwIfAborted();
      const postmaster = await readPostmaster(cluster);
      if (postmaster?.pid === child.pid && postmaster?.status === 'ready') return;
      await sleep(20);
    }
    throw new Error(`Postgres is not ready after ${READY_TIMEOUT_MS / 1000} s:\n${tail.join('\n')}`);
  }

  const url = `postgres://postgres:${encodeURIComponent(options.superuserPassword)}@127.0.0.1:${port}/postgres`;
  return { port, url, pid: child.pid ?? 0, exited, ready, stop: () => stop(child, exited) };
}

/** Fast shutdown, then immediate (recovers at the next start), then SIGKILL. */
async function stop(child: ChildProcess, exited: Promise<string>): Promise<void> {
  for (const [signal, timeoutMs] of [
    ['SIGINT', 30_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    child.kill(signal);
    const timer = new AbortController();
    const gone = await Promise.race([
      exited.then(() => true),
      sleep(timeoutMs, false, { signal: timer.signal }).catch(() => false),
    ]);
    timer.abort();
    if (gone) return;
  }
}
