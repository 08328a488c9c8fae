/**
 * The sweep: everything that some lost event should have caused, found in Postgres instead. Runs
 * every half minute; each provider is only listed when it is due (instances/sweep.ts). Each step
 * stands alone: one that fails does not stop the others.
 */
import { tellAlerts } from './alerts/tell.ts';
import type { Core } from './core.ts';
import { mendLogins, shutOutLingering } from './instances/credentials.ts';
import { endInstances, watchEndings } from './instances/end.ts';
import { lookSoon } from './instances/looks.ts';
import { sweepInstances } from './instances/sweep.ts';
import { renewAccess } from './jobs/access.ts';
import { sweepDeletions } from './jobs/deletions.ts';
import { settleJobs } from './jobs/settle.ts';
import { compareBilling } from './ledger/billing.ts';
import { enforceBudgets } from './ledger/budgets.ts';
import { decide } from './planner/decide.ts';
import { warmOffers } from './planner/offers.ts';
import { sweepUploads } from './submit/sweep.ts';
import { deliverWebhooks } from './webhooks/deliver.ts';

/** What orchestrate does on its schedule. */
export async function sweepJobs(core: Core): Promise<void> {
  await step('uploads', () => sweepUploads(core));
  await step('access', () => renewAccess(core));
  await step('settling', () => settleJobs(core));
  await step('offers', () => warmOffers(core));
  await step('planning', () => decide(core));
  await step('webhooks', () => deliverWebhooks(core));
  await step('deletions', () => sweepDeletions(core));
}

let isFirstSweep = true;

/** What terminate does on its schedule. */
export async function sweepLeases(core: Core): Promise<void> {
  // Whatever happened while nobody looked: a restored backup, an outage of days.
  if (isFirstSweep) await step('first look', () => lookSoon(core));
  isFirstSweep = false;
  await step('lingering workers', () => shutOutLingering(core));
  await step('budgets', () => enforceBudgets(core));
  await step('leases', () => sweepInstances(core));
  await step('ending', () => endInstances(core));
  await step('endings', () => watchEndings(core));
  await step('logins', () => mendLogins(core));
  // What was given back to the queue needs another instance.
  await step('planning', () => decide(core));
  await step('billing', () => compareBilling(core));
  await step('alerts', () => tellAlerts(core));
}

async function step(name: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    console.error(`sweep, ${name}:`, error);
  }
}
