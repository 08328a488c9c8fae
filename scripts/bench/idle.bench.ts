/** What the system costs while nothing happens: memory and CPU of every process that is always on (Linux). */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startStack } from '../../tests/stack/start-stack.ts';
import { figure } from './figures.ts';

/** Time for start-up work to end, and then time to measure. */
const settleMs = 30_000;
const measureMs = 60_000;
/** Linux counts CPU time in these (sysconf(_SC_CLK_TCK), 100 on every usual kernel). */
const ticksPerSecond = 100;

interface Usage {
  rssMb: number;
  pssMb: number;
  cpuTicks: number;
}

export async function run(): Promise<void> {
  const stack = await startStack({ models: false });
  try {
    const names = ['supervisor', 'postgres', 'broker', 'objects', 'functions', 'connector'] as const;
    const trees = await Promise.all(names.map(async (name) => ({ name, root: await stack.pid(name) })));
    await sleep(settleMs);
    const roots = new Set(trees.map((tree) => tree.root));
    const before = await Promise.all(trees.map((tree) => usage(tree.root, roots)));
    await sleep(measureMs);
    const after = await Promise.all(trees.map((tree) => usage(tree.root, roots)));
    let [rss, pss, cpu] = [0, 0, 0];
    for (const [index, { name }] of trees.entries()) {
      const now = after[index]!;
      const cpuPercent =
        ((now.cpuTicks - before[index]!.cpuTicks) / ticksPerSecond / (measureMs / 1000)) * 100;
      figure(`idle_rss_mb_${name}`, now.rssMb);
      figure(`idle_pss_mb_${name}`, now.pssMb);
      figure(`idle_cpu_percent_${name}`, cpuPercent);
      rss += now.rssMb;
      pss += now.pssMb;
      cpu += cpuPercent;
    }
    figure('idle_rss_mb', rss);
    figure('idle_pss_mb', pss);
    figure('idle_cpu_percent', cpu);
  } finally {
    await stack.remove();
  }
}

/** Of a process and what it started, but not of other services. */
async function usage(root: number, others: Set<number>): Promise<Usage> {
  const parents = new Map<number, number>();
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    if (stat) parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const tree = [root];
  for (const pid of tree) {
    for (const [child, parent] of parents) if (parent === pid && !others.has(child)) tree.push(child);
  }
  const total: Usage = { rssMb: 0, pssMb: 0, cpuTicks: 0 };
  for (const pid of tree) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
    if (!stat) continue;
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    total.cpuTicks += Number(fields[11]) + Number(fields[12]);
    total.rssMb += Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
    total.pssMb += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
  }
  return total;
}
