/**
 * One supervisor per data folder. The file `supervisor.json` there names the supervisor, its
 * addresses and its children, each by pid and start time, so that after a kill -9 the next start
 * knows that the lock is stale and which processes were left behind.
 */

import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
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
  return parse(await readFile(lockPath(dataDir), 'utf8').catch(() => ''));
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

  while (!(await create(dataDir, state))) {
    const text = await readFile(lockPath(dataDir), 'utf8').catch(() => '');
    const other = parse(text);
    if (other && (await isAlive(other.supervisor))) throw new AlreadyRunningError(other, dataDir);
    if (other) await endChildren(other, endTimeoutMs);
    await takeAway(dataDir, text);
  }

  let released = false;
  let written = Promise.resolve();
  const write = () => {
    written = written.then(() => (released ? undefined : replace(dataDir, state)));
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
      await rm(lockPath(dataDir), { force: true });
    },
  };
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

const lockPath = (dataDir: string) => join(dataDir, 'supervisor.json');

/** Makes the lock with its whole content in one step; false where there is one. */
async function create(dataDir: string, state: LockState): Promise<boolean> {
  const unfinished = `${lockPath(dataDir)}.${randomUUID()}`;
  await writeFile(unfinished, JSON.stringify(state, null, 2), { mode: 0o600 });
  try {
    await link(unfinished, lockPath(dataDir));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(unfinished);
  }
}

async function replace(dataDir: string, state: LockState): Promise<void> {
  const unfinished = `${lockPath(dataDir)}.${randomUUID()}`;
  await writeFile(unfinished, JSON.stringify(state, null, 2), { mode: 0o600 });
  await rename(unfinished, lockPath(dataDir));
}

/** Removes the stale lock that reads `text`. If another start took over meanwhile, its lock is put back. */
async function takeAway(dataDir: string, text: string): Promise<void> {
  const aside = `${lockPath(dataDir)}.${randomUUID()}`;
  try {
    await rename(lockPath(dataDir), aside);
  } catch {
    return; // gone already
  }
  if ((await readFile(aside, 'utf8')) !== text) await link(aside, lockPath(dataDir)).catch(() => undefined);
  await rm(aside);
}
