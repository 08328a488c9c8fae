/**
 * The file postmaster.pid, which a running server keeps in its cluster: what it says, and what to do
 * with a server that an earlier run of ours left behind (kill -9 of the parent orphans it).
 * Lines (src/include/utils/pidfile.h): 1 pid, 8 status, among others.
 */

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { commandLine, identify, signalProcess, waitUntilGone } from '../supervisor/processes.ts';

/** Pid and status ("starting", "ready", "stopping") of the server on this cluster; undefined where no file is. */
export async function readPostmaster(
  clusterDir: string,
): Promise<{ pid: number; status: string } | undefined> {
  const text = await readFile(join(clusterDir, 'postmaster.pid'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  return Number.isSafeInteger(pid) && pid > 0 ? { pid, status: lines[7]?.trim() ?? '' } : undefined;
}

/**
 * Ends a server left behind on this cluster. A pid file whose process is gone stays: Postgres knows what to do.
 * The caller must hold the lock of the data folder: a server here is nobody else's then.
 * @throws when the server survives even SIGKILL.
 */
export async function stopLeftBehind(clusterDir: string): Promise<void> {
  const left = await readPostmaster(clusterDir);
  if (!left) return;
  const identity = await identify(left.pid);
  const command = identity && (await commandLine(left.pid));
  if (!identity || !command?.includes(`-D ${clusterDir} `)) {
    if (identity) await disownPidFile(clusterDir);
    return;
  }
  // Fast, immediate, brutal: the second and third cost a crash recovery, which is safe.
  for (const [signal, timeoutMs] of [
    ['SIGINT', 15_000],
    ['SIGQUIT', 5_000],
    ['SIGKILL', 5_000],
  ] as const) {
    await signalProcess(identity, signal);
    if (await waitUntilGone(identity, timeoutMs)) return;
  }
  throw new Error(`an earlier Postgres (process ${left.pid}) does not end`);
}

/**
 * The number in the file is a stranger's by now, and Postgres may refuse to start because of it. The
 * file must stay: from it the next server learns whether old backends still use the shared memory.
 * Postgres takes its parent's number, ours, for a file out of date (CreateLockFile in miscinit.c).
 */
async function disownPidFile(clusterDir: string): Promise<void> {
  const path = join(clusterDir, 'postmaster.pid');
  const lines = (await readFile(path, 'utf8')).split('\n');
  await writeFile(path, [String(process.pid), ...lines.slice(1)].join('\n'));
}
