/**
 * Why a job may not go to a place although an offer of its kind may be rented: the limits on what
 * runs, the machine's and the job's own. The reasons are for people, in one line.
 */

import { dollars, hourly } from '../money.ts';
import { duration } from './durations.ts';
import type { Option } from './places.ts';
import type { Left } from './purse.ts';
import type { Policy, QueuedJob } from './situation.ts';

export type Limit =
  | 'stock'
  | 'instances'
  | 'total_price'
  | 'interruptible'
  | 'lease'
  | 'job_budget'
  | 'budget';

/** What runs now, and what this look has added to it. */
export interface Running {
  instances: number;
  microdollarsPerHour: number;
}

/** After so many machines that were taken away, a job goes to one that stays, if it may go to any. */
const mostPreemptions = 2;

export interface Limits {
  job: QueuedJob;
  policy: Policy;
  running: Running;
  /** Of the budgets that it falls under. */
  left: Left;
  /** It has lost enough machines, and there is one for it that stays. */
  steadyOnly: boolean;
}

/** Pure. The limits of a job among its options. */
export function limitsAmong(options: Option[], limits: Omit<Limits, 'steadyOnly'>): Limits {
  const any: Limits = { ...limits, steadyOnly: false };
  const steadyOnly =
    limits.job.preemptions >= mostPreemptions &&
    options.some((option) => !option.place.offer.interruptible && limitOf(option, any) === null);
  return { ...any, steadyOnly };
}

/** Pure. @returns null where nothing stands against it. */
export function limitOf(option: Option, { job, policy, running, left, steadyOnly }: Limits): Limit | null {
  const { place } = option;
  const { priceMicrodollarsPerHour, offer } = place;
  if (place.kind === 'offer') {
    if (place.stockLeft < 1) return 'stock';
    if (running.instances >= policy.maxInstances) return 'instances';
    if (running.microdollarsPerHour + priceMicrodollarsPerHour > policy.maxTotalMicrodollarsPerHour)
      return 'total_price';
  }
  if (steadyOnly && offer.interruptible) return 'interruptible';
  if (option.doneInMs >= place.leftMs) return 'lease';
  if (option.microdollars > jobLeft(job)) return 'job_budget';
  if (option.microdollars > left.microdollars) return 'budget';
  return null;
}

function jobLeft({ maxCostMicrodollars, spentMicrodollars }: QueuedJob): number {
  return maxCostMicrodollars === null ? Infinity : maxCostMicrodollars - spentMicrodollars;
}

export function explainLimit(limit: Limit, option: Option, { job, policy, running, left }: Limits): string {
  const { place, microdollars } = option;
  switch (limit) {
    case 'stock':
      return `${place.offer.provider} has none of it left`;
    case 'instances':
      return `all ${policy.maxInstances} instances that may live are taken`;
    case 'total_price':
      return `what runs costs ${hourly(running.microdollarsPerHour)} already, and ${hourly(policy.maxTotalMicrodollarsPerHour)} is the limit`;
    case 'interruptible':
      return `its machine was taken away ${job.preemptions} times: it now goes to one that stays`;
    case 'lease':
      return `it would be done in ${duration(option.doneInMs)}, after the end of the lease`;
    case 'job_budget':
      return `it would cost ${dollars(microdollars)}, more than ${dollars(Math.max(0, jobLeft(job)))}, what is left of its own limit`;
    case 'budget':
      return `it would cost ${dollars(microdollars)}, and ${dollars(left.microdollars)} are left ${left.of}`;
  }
}
