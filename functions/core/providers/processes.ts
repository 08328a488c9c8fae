/**
 * Processes of this machine by their command line: the one list that a crash of ours cannot lose.
 * Linux reads /proc, since a bare Debian has no `ps`; elsewhere `ps` is part of the system.
 */
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface Process {
  pid: number;
  args: string[];
}

/** All processes with their arguments. Zombies have none and are left out: they have ended. */
export async function listProcesses(): Promise<Process[]> {
  return process.platform === 'linux' ? fromProc() : fromPs();
}

async function fromProc(): Promise<Process[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      try {
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8');
        return { pid: Number(pid), args: line.split('\0').slice(0, -1) };
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        // Ended while we looked.
        if (code === 'ENOENT' || code === 'ESRCH') return null;
        throw error;
      }
    }),
  );
  return found.filter((one): one is Process => one !== null && one.args.length > 0);
}

async function fromPs(): Promise<Process[]> {
  const { stdout } = await promisify(execFile)('ps', ['-axww', '-o', 'pid=,args='], { maxBuffer: 64 << 20 });
  return stdout
    .split('\n')
    .map((line) => /^\s*(\d+)\s+(.+)$/.exec(line))
    .filter((match) => match !== null)
    .map((match) => ({ pid: Number(match[1]), args: match[2]!.split(' ') }));
}
