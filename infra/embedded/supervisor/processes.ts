/**
 * What the operating system says about a process id.
 *
 * A pid alone proves nothing: after a crash or a reboot the number may belong to somebody else.
 * Pid and start time together name one process for ever.
 */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** One process, told apart from any other that had or will have its number. */
export interface ProcessIdentity {
  pid: number;
  /** Opaque start time; equal only for the same process. */
  start: string;
}

/**
 * The identity of a living process, or undefined where there is none.
 * A zombie counts as gone: it holds neither ports nor files, and in a container nobody may ever reap it.
 */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const start = process.platform === 'linux' ? await linuxStart(pid) : await psField(pid, 'lstart');
  return start === undefined ? undefined : { pid, start };
}

/** Whether that very process still runs. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await identify(identity.pid))?.start === identity.start;
}

/** The command line of a living process with its arguments parted by spaces; undefined where there is none. */
export async function commandLine(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return psField(pid, 'command');
  const raw = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  return raw?.replaceAll('\0', ' ').trim();
}

/** Sends a signal to that very process; false where it is gone already. */
export async function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): Promise<boolean> {
  if (!(await isAlive(identity))) return false;
  try {
    return process.kill(identity.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/** Waits until that process is gone; false when it still runs after `timeoutMs`. */
export async function waitUntilGone(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (await isAlive(identity)) {
    if (performance.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

/** Boot id and start time in clock ticks since boot: field 22 of proc_pid_stat(5). */
async function linuxStart(pid: number): Promise<string | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets and may itself hold spaces and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startTicks] = [fields[0], fields[19]];
    if (state === 'Z' || state === 'X' || startTicks === undefined) return undefined;
    const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8');
    return `${bootId.trim()}/${startTicks}`;
  } catch {
    return undefined;
  }
}

async function psField(pid: number, field: 'lstart' | 'command'): Promise<string | undefined> {
  try {
    const { stdout } = await run('ps', ['-o', `${field}=`, '-p', String(pid)]);
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}
