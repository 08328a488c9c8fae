/**
 * One supervisor per data folder. A file `supervisor.<n>.json` there names the supervisor, its
 * addresses and its children, each by pid and start time, so that after a kill -9 the next start
 * knows that the lock is stale and which processes were left behind.
 *
 * The newest file, with the highest n, is the lock. A stale one is never removed to make room: who
 * takes over makes the next, which the file system lets only one do, and then looks whether it is
 * the newest still, since a start that slept for long may have made one that others are past.
 */

import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { identify, isAlive, signalProcess, waitUntilGone } from './processes.ts';

const identitySchema = z.object({ pid: z.number().int().positive(), start: z.string() });

const lockSchema = z.object({
  supervisor: identitySchema,
  /** What people would look for: name of an address → the address. Empty until all are ready. */
  addresses: z.record(z.string(), z.string()),
  children: z.record(z.string(), identitySchema),
});

type LockState = z.infer<typeof lockSchema>;

/** The data folder has a living supervisor. */
export class AlreadyRunningError extends Error {
  readonly pid: number;
  readonly addresses: Readonly<Record<string, string>>;
  constructor(state: LockState, dataDir: string) {
    super(`it runs already, as process ${state.supervisor.pid}, on the data folder ${dataDir}`);
    this.pid = state.supervisor.pid;
    this.addresses = state.addresses;
  }
}

export interface InstanceLock {
  /** Notes what should be found after a crash. Calls are carried out one after the other. */
  noteChild(name: string, pid: number): Promise<void>;
  noteAddresses(addresses: Record<string, string>): Promise<void>;
  release(): Promise<void>;
}

/** What `dataDir`'s lock says, or undefined where there is none that makes sense. */
export async function readLock(dataDir: string): Promise<LockState | undefined> {
  const newest = await newestLock(dataDir);
  return newest && parse(newest.text);
}

/** Undefined where there is none. */
async function newestLock(dataDir: string): Promise<{ number: number; text: string } | undefined> {
  const numbers = (await readdir(dataDir)).flatMap(
    (name) => /^supervisor\.(\d+)\.json$/.exec(name)?.[1] ?? [],
  );
  if (numbers.length === 0) return undefined;
  const number = Math.max(...numbers.map(Number));
  return { number, text: await readFile(lockPath(dataDir, number), 'utf8').catch(() => '') };
}

function parse(text: string): LockState | undefined {
  try {
    return lockSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock of `dataDir`, ending what a killed supervisor left behind there.
 * @param options.endTimeoutMs how long each of that may take to end when asked, before SIGKILL.
 * @throws AlreadyRunningError where one lives.
 */
export async function acquireLock(dataDir: string, { endTimeoutMs = 15_000 } = {}): Promise<InstanceLock> {
  await mkdir(dataDir, { recursive: true, mode: 0o711 });
  const supervisor = await identify(process.pid);
  if (!supervisor) throw new Error('this machine does not say when a process started, which the lock needs');
  const state: LockState = { supervisor, addresses: {}, children: {} };

  const path = lockPath(dataDir, await takeOver(dataDir, state, endTimeoutMs));

  let released = false;
  let written = Promise.resolve();
  const write = () => {
    written = written.then(() => (released ? undefined : replace(path, state)));
    return written;
  };
  return {
    async noteChild(name, pid) {
      const identity = await identify(pid);
      if (identity) state.children[name] = identity;
      await write();
    },
    noteAddresses(addresses) {
      state.addresses = addresses;
      return write();
    },
    async release() {
      if (released) return; // by now it may be another's
      released = true;
      await written;
      await rm(path, { force: true });
    },
  };
}

/** @returns the number of the lock that is now ours. */
async function takeOver(dataDir: string, state: LockState, endTimeoutMs: number): Promise<number> {
  for (;;) {
    const newest = await newestLock(dataDir);
    const other = newest && parse(newest.text);
    if (other && (await isAlive(other.supervisor))) throw new AlreadyRunningError(other, dataDir);
    if (other) await endChildren(other, endTimeoutMs);
    const number = (newest?.number ?? 0) + 1;
    if (!(await create(lockPath(dataDir, number), state))) continue;
    if ((await newestLock(dataDir))?.number === number) {
      if (newest) await rm(lockPath(dataDir, newest.number), { force: true });
      return number;
    }
    await rm(lockPath(dataDir, number), { force: true });
  }
}

/**
 * Children of a killed supervisor: most are gone by themselves, the rest is asked, then forced.
 * SIGINT, because Postgres waits for its clients on SIGTERM.
 */
async function endChildren(left: LockState, timeoutMs: number): Promise<void> {
  await Promise.all(
    Object.values(left.children).map(async (child) => {
      await signalProcess(child, 'SIGINT');
      if (await waitUntilGone(child, timeoutMs)) return;
      await signalProcess(child, 'SIGKILL');
      await waitUntilGone(child, 5_000);
    }),
  );
}

const lockPath = (dataDir: string, number: number) => join(dataDir, `supervisor.${number}.json`);

/** Makes the lock with its whole content in one step; false where there is one. */
async function create(path: string, state: LockState): Promise<boolean> {
  const unfinished = await writeUnfinished(path, state);
  try {
    await link(unfinished, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(unfinished);
  }
}

async function replace(path: string, state: LockState): Promise<void> {
  await rename(await writeUnfinished(path, state), path);
}

async function writeUnfinished(path: string, state: LockState): Promise<string> {
  const unfinished = `${path}.${randomUUID()}`;
  await writeFile(unfinished, JSON.stringify(state, null, 2), { mode: 0o600 });
  return unfinished;
}
