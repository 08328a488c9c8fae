/**
 * Writing a lease down, before anybody is asked for its machine. One need, that of the job it is
 * rented for, has one machine: the index instances_one_for_a_need refuses a second while the first
 * may live, whoever plans and whatever this file believes.
 */

import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { newId } from '../ids.ts';
import { labelOf } from '../instances/label.ts';
import type { Lease } from '../instances/launch.ts';
import { lookWhileBusy } from '../instances/looks.ts';
import { log } from '../log.ts';
import { takeStock } from './offers.ts';
import type { Rent } from './plan.ts';
import { assign } from './record.ts';

/**
 * A machine that lives does not serve the job any more that it was rented for when that is queued
 * again: it failed there and is to be tried anew. One in doubt may yet serve it.
 */
export async function freeNeeds(tx: Tx): Promise<void> {
  await tx`
    update instances i set rented_for = null from jobs j
    where i.state in ('requested', 'booting', 'ready') and j.job_id = i.rented_for and j.state = 'queued'`;
}

/**
 * Writes lease and assignments. @returns null where the need has a machine already: then nothing was
 * written, and the jobs stay in the queue for the next look.
 */
export async function rent(core: Core, tx: Tx, action: Rent, nowMs: number): Promise<Lease | null> {
  const instanceId = newId();
  const { offer, maxCostMicrodollars } = action;
  const lease: Lease = {
    instanceId,
    provider: offer.provider,
    label: labelOf(core.config.secret('owner-id'), instanceId),
    offer,
    deadlineAt: new Date(nowMs + action.leaseMs),
    maxCostMicrodollars,
  };
  try {
    // A savepoint, so that what is refused undoes nothing else of the look.
    await tx.savepoint(async (inner) => {
      await inner`
        insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at, rented_for, host)
        values (${instanceId}, ${lease.label}, ${offer.provider}, 'requested', ${inner.json({ ...offer })},
                ${offer.priceMicrodollarsPerHour}, ${lease.deadlineAt}, ${action.jobs[0]!.jobId}, ${offer.host})`;
      await lookWhileBusy(inner, offer.provider);
      await takeStock(inner, offer);
      const { because } = action;
      const assignments = action.jobs.map((start) => ({ ...start, instanceId, because }));
      await assign(core, inner, assignments, nowMs, 'plan.rent');
    });
    return lease;
  } catch (error) {
    if ((error as { constraint_name?: string }).constraint_name !== 'instances_one_for_a_need') throw error;
    log.warn('a job has a machine already: none is rented for it', { jobId: action.jobs[0]!.jobId });
    return null;
  }
}
