/** What processes use, read from /proc (Linux). Its megabytes are those of 2^20 bytes. */
import { readdir, readFile } from 'node:fs/promises';

export interface Usage {
  /** All that is in memory for a process; what several share counts for each. */
  rssMb: number;
  /** What several share counts once, in parts: these add up. */
  pssMb: number;
  cpuTicks: number;
}

/** Linux counts CPU time in these (sysconf(_SC_CLK_TCK), 100 on every usual kernel). */
export const ticksPerSecond = 100;

/** Of a process and what it started, but not of the processes in `others`. */
export async function usage(root: number, others: ReadonlySet<number> = new Set()): Promise<Usage> {
  const parents = new Map<number, number>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const fields = await statOf(pid);
    if (fields) parents.set(pid, Number(fields[1]));
  }
  const tree = [root];
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid && !others.has(child)) tree.push(child);
  }
  const total: Usage = { rssMb: 0, pssMb: 0, cpuTicks: 0 };
  for (const pid of tree) {
    const fields = await statOf(pid);
    if (!fields) continue;
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    total.cpuTicks += Number(fields[11]) + Number(fields[12]);
    total.rssMb += Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
    total.pssMb += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
  }
  return total;
}

/** The fields of /proc/PID/stat from the third on: what is before them is a name that may hold anything. */
async function statOf(pid: number): Promise<string[] | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? null;
}
