/**
 * The disk that the functions run on. On one server that is the disk of Postgres and the object store too:
 * faasd's containers lie on it, and `statfs` in one tells of the disk below.
 */
import { statfs } from 'node:fs/promises';
import type { Severity } from '../alerts/alerts.ts';
import type { Config } from '../config.ts';

export interface Disk {
  freeBytes: number;
  sizeBytes: number;
}

/** Null where the system does not tell. */
export async function readDisk(config: Pick<Config, 'AIMA_DATA_DIR'>): Promise<Disk | null> {
  for (const path of [config.AIMA_DATA_DIR, '/']) {
    const stats = await statfs(path).catch(() => null);
    if (stats) return { freeBytes: stats.bavail * stats.bsize, sizeBytes: stats.blocks * stats.bsize };
  }
  return null;
}

const gigabyte = 1e9;

/** Pure. A full disk stops Postgres, and with it everything; 10 % is days of uploads on a usual server. */
export function judgeDisk({ freeBytes, sizeBytes }: Disk): Severity | null {
  if (freeBytes < 1 * gigabyte || freeBytes < 0.03 * sizeBytes) return 'critical';
  if (freeBytes < 5 * gigabyte || freeBytes < 0.1 * sizeBytes) return 'warning';
  return null;
}

/** For people, in whole gigabytes: the same sentence for a while. */
export function sayDisk({ freeBytes, sizeBytes }: Disk): string {
  return `Of the disk's ${Math.round(sizeBytes / gigabyte)} GB ${Math.floor(freeBytes / gigabyte)} GB are free.`;
}

export const diskAdvice = 'Delete jobs that are not needed any more, or make the disk larger.';
