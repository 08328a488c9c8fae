import { readFile } from 'node:fs/promises';

/**
 * Memory of a process and its children in MB of 10^6 bytes: resident, and proportional, where what several
 * processes share (the pages of Node's program, Postgres's buffers) counts for each by its part.
 */
export async function memoryMb(pid: number): Promise<{ rss: number; pss: number }> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean);
  const rollups = await Promise.all(
    // One that ends meanwhile counts no more.
    [String(pid), ...children].map((one) => readFile(`/proc/${one}/smaps_rollup`, 'utf8').catch(() => '')),
  );
  const mb = (name: string) => {
    const kib = rollups.map((text) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0));
    return Math.round((kib.reduce((sum, one) => sum + one, 0) * 1024) / 1e6);
  };
  return { rss: mb('Rss'), pss: mb('Pss') };
}
