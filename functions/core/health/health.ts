/** Whether this installation is well, and in words what is not: services, sweeps, machines, providers, money, disk. */
import { openAlerts } from '../alerts/alerts.ts';
import type { Core } from '../core.ts';
import { log } from '../log.ts';
import { readDisk } from './disk.ts';
import { alertFindings, diskFindings, providerFindings, queueFindings, sweepFindings } from './findings.ts';
import { within } from './patience.ts';
import { readProviders } from './providers.ts';
import { readQueue } from './queue.ts';
import { serviceFindings } from './services.ts';
import type { Finding, WholeHealth } from './shapes.ts';
import { readSweeps } from './sweeps.ts';

/** Anybody may ask, so however often that is, it is looked at no more often than this. */
const freshMs = 5_000;
const patienceMs = 5_000;

let last: { atMs: number; health: Promise<WholeHealth> } | undefined;

/** What was found out not longer than five seconds ago. Never throws: what cannot be asked is a finding. */
export function currentHealth(core: Core, nowMs = Date.now()): Promise<WholeHealth> {
  if (last === undefined || nowMs - last.atMs >= freshMs)
    last = { atMs: nowMs, health: examine(core, new Date(nowMs)) };
  return last.health;
}

/** Looks now. */
export async function examine(core: Core, now: Date): Promise<WholeHealth> {
  const [services, told, disk] = await Promise.all([
    serviceFindings(core, now),
    fromDatabase(core),
    readDisk(core.config),
  ]);
  const findings = [...services, ...told, ...diskFindings(disk)];
  const critical = findings.filter(({ severity }) => severity === 'critical');
  const warnings = findings.filter(({ severity }) => severity === 'warning');
  return {
    status: critical.length > 0 ? 'broken' : warnings.length > 0 ? 'degraded' : 'ok',
    checkedAt: now.toISOString(),
    findings: [...critical, ...warnings],
  };
}

/** Without Postgres nothing of this is known; that it is away is told by serviceFindings. */
async function fromDatabase(core: Core): Promise<Finding[]> {
  try {
    const { sql, config } = core;
    const [sweeps, providers, queue, alerts] = await within(
      patienceMs,
      Promise.all([
        readSweeps(sql),
        readProviders(sql, config.AIMA_PROVIDERS),
        readQueue(sql),
        openAlerts(sql),
      ]),
    );
    return [
      ...sweepFindings(sweeps),
      ...alertFindings(alerts),
      ...providerFindings(providers),
      ...queueFindings(queue),
    ];
  } catch (error) {
    log.warn('the health of this installation cannot be read', { error });
    return [];
  }
}
