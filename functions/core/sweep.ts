/**
 * The sweep: everything that some lost event should have caused, found in Postgres instead. Runs
 * every half minute; does the costly part that often only while a lease lives or something waits,
 * else every few minutes. Each step stands alone: one that fails does not stop the others.
 */
import type { Core } from './core.ts';
import { mendLogins } from './instances/credentials.ts';
import { endInstances } from './instances/end.ts';
import { sweepInstances } from './instances/sweep.ts';
import { renewAccess } from './jobs/access.ts';
import { sweepDeletions } from './jobs/deletions.ts';
import { settleJobs } from './jobs/settle.ts';
import { decide } from './planner/decide.ts';
import { sweepUploads } from './submit/sweep.ts';
import { deliverWebhooks } from './webhooks/deliver.ts';

/** Between looks at providers while nothing is rented: something of ours may be there all the same. */
const quietMs = 5 * 60_000;

/** What orchestrate does on its schedule. */
export async function sweepJobs(core: Core): Promise<void> {
  await step('uploads', () => sweepUploads(core));
  await step('access', () => renewAccess(core));
  await step('settling', () => settleJobs(core));
  await step('planning', () => decide(core));
  await step('webhooks', () => deliverWebhooks(core));
  await step('deletions', () => sweepDeletions(core));
}

let lookedAtMs = 0;

/** What terminate does on its schedule. */
export async function sweepLeases(core: Core, nowMs = Date.now()): Promise<void> {
  const [busy] = await core.sql`select from instances where state <> 'terminated' limit 1`;
  if (!busy && nowMs - lookedAtMs < quietMs) return;
  lookedAtMs = nowMs;
  await step('leases', () => sweepInstances(core));
  await step('ending', () => endInstances(core));
  await step('logins', () => mendLogins(core));
  // What was given back to the queue needs another instance.
  await step('planning', () => decide(core));
}

async function step(name: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch (error) {
    console.error(`sweep, ${name}:`, error);
  }
}
