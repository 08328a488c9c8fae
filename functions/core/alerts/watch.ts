/**
 * What no step of the work itself would notice: a sweep that does not come any more, a step that fails
 * every time, a disk that fills up. Each sweep watches the other one, so that one function that is dead is told of; of
 * two that are dead an outside eye must tell (the server's own health check, Prometheus).
 */
import type { Core } from '../core.ts';
import { diskAdvice, judgeDisk, readDisk, sayDisk } from '../health/disk.ts';
import {
  failingAfterMs,
  lateAfterMs,
  readSweeps,
  type SweepName,
  type SweepNote,
  sweepNames,
  sweepWords,
} from '../health/sweeps.ts';
import { type Alert, raise, resolve } from './alerts.ts';

/** When sweeps of this process ran: since when without a gap, and the last one. */
const seen = new Map<SweepName, { sinceMs: number; lastMs: number }>();

/** Raises and resolves what can be told from here. @param self the sweep that looks. */
export async function watch(core: Core, self: SweepName): Promise<void> {
  const nowMs = Date.now();
  const steady = steadily(seen.get(self), nowMs);
  seen.set(self, steady);
  const notes = await readSweeps(core.sql);
  const disk = self === 'leases' ? await diskAlert(core) : [];
  const found = [...sweepAlerts(notes, self, nowMs - steady.sinceMs), ...disk];
  for (const alert of found) await raise(core.sql, alert);
  const watched = [
    ...sweepNames.flatMap((name) => (name === self ? [failingKey(name)] : [failingKey(name), lateKey(name)])),
    ...(self === 'leases' ? ['disk:warning', 'disk:critical'] : []),
  ];
  const over = watched.filter((key) => !found.some((alert) => alert.key === key));
  const open = await core.sql<{ key: string }[]>`
    select key from alerts where resolved_at is null and key = any (${over})`;
  for (const { key } of open) await resolve(core.sql, key);
}

/** Pure. After a pause, such as a night in which the server was off, the watch begins anew. */
export function steadily(before: { sinceMs: number; lastMs: number } | undefined, nowMs: number) {
  const isGap = before === undefined || nowMs - before.lastMs > lateAfterMs;
  return { sinceMs: isGap ? nowMs : before.sinceMs, lastMs: nowMs };
}

const lateKey = (name: SweepName) => `sweep:${name}:late`;
const failingKey = (name: SweepName) => `sweep:${name}:failing`;

/**
 * Pure.
 * @param self whoever looks is not late, whatever its last note says.
 * @param watchedMs for how long it has been looking: what stood still together with us is not late.
 */
export function sweepAlerts(notes: readonly SweepNote[], self: SweepName, watchedMs: number): Alert[] {
  return notes.flatMap(({ name, lagMs, failing, failingMs }): Alert[] => {
    const { program, risk } = sweepWords[name];
    if (name !== self && Math.min(lagMs, watchedMs) > lateAfterMs)
      return [
        {
          key: lateKey(name),
          severity: 'critical',
          text: `The sweep of ${name} does not come any more: ${risk}. Look whether the function ${program} and the connector run.`,
          data: { sweep: name },
        },
      ];
    if (failing.length === 0 || failingMs === null || failingMs <= failingAfterMs) return [];
    return [
      {
        key: failingKey(name),
        severity: 'warning',
        text: `In the sweep of ${name} these steps fail: ${failing.join(', ')}. The log of the function ${program} says why.`,
        data: { sweep: name, steps: failing.join(', ') },
      },
    ];
  });
}

async function diskAlert({ config }: Core): Promise<Alert[]> {
  const disk = await readDisk(config);
  const severity = disk && judgeDisk(disk);
  if (!severity) return [];
  return [{ key: `disk:${severity}`, severity, text: `${sayDisk(disk)} ${diskAdvice}` }];
}
