/**
 * The sweep: everything that some lost event should have caused, found in Postgres instead. Runs
 * every half minute; each provider is only listed when it is due (instances/sweep.ts). Each step
 * stands alone: one that fails does not stop the others.
 */
import { tellAlerts } from './alerts/tell.ts';
import { watch } from './alerts/watch.ts';
import type { Core } from './core.ts';
import { noteSweep, type SweepName } from './health/sweeps.ts';
import { mendLogins, shutOutLingering } from './instances/credentials.ts';
import { endInstances, watchEndings } from './instances/end.ts';
import { lookSoon } from './instances/looks.ts';
import { sweepInstances } from './instances/sweep.ts';
import { renewAccess } from './jobs/access.ts';
import { sweepDeletions } from './jobs/deletions.ts';
import { settleJobs } from './jobs/settle.ts';
import { compareBilling } from './ledger/billing.ts';
import { enforceBudgets } from './ledger/budgets.ts';
import { log } from './log.ts';
import { foldTallies } from './metrics/tallies.ts';
import { decide } from './planner/decide.ts';
import { warmOffers } from './planner/offers.ts';
import { sweepUploads } from './submit/sweep.ts';
import { deliverWebhooks } from './webhooks/deliver.ts';

/** What orchestrate does on its schedule. */
export async function sweepJobs(core: Core): Promise<void> {
  await goThrough(core, 'jobs', {
    uploads: () => sweepUploads(core),
    access: () => renewAccess(core),
    settling: () => settleJobs(core),
    offers: () => warmOffers(core),
    planning: () => decide(core),
    webhooks: () => deliverWebhooks(core),
    deletions: () => sweepDeletions(core),
    tallies: () => foldTallies(core.sql),
    watching: () => watch(core, 'jobs'),
    alerts: () => tellAlerts(core),
  });
}

let isFirstSweep = true;

/** What terminate does on its schedule. */
export async function sweepLeases(core: Core): Promise<void> {
  // Whatever happened while nobody looked: a restored backup, an outage of days.
  const firstLook = isFirstSweep ? { 'first look': () => lookSoon(core) } : {};
  isFirstSweep = false;
  await goThrough(core, 'leases', {
    ...firstLook,
    'lingering workers': () => shutOutLingering(core),
    budgets: () => enforceBudgets(core),
    leases: () => sweepInstances(core),
    ending: () => endInstances(core),
    endings: () => watchEndings(core),
    logins: () => mendLogins(core),
    // What was given back to the queue needs another instance.
    planning: () => decide(core),
    billing: () => compareBilling(core),
    watching: () => watch(core, 'leases'),
    alerts: () => tellAlerts(core),
  });
}

/** One step after the other; that it went through is noted last, with the steps that failed. */
async function goThrough(
  core: Core,
  sweep: SweepName,
  steps: Record<string, () => Promise<unknown>>,
): Promise<void> {
  const failing: string[] = [];
  for (const [step, run] of Object.entries(steps)) {
    try {
      await run();
    } catch (error) {
      failing.push(step);
      log.error('a step of the sweep failed', { sweep, step, error });
    }
  }
  await noteSweep(core.sql, sweep, failing).catch((error: unknown) =>
    log.error('a sweep was not noted', { sweep, error }),
  );
}
