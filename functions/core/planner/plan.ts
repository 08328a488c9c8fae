/**
 * The planner: a pure function from what is to what should be done. No clock, no I/O, no chance;
 * the same input gives the same actions, each with its reason in one line.
 *
 * Every job goes where its score is lowest: the money it adds there, plus what waiting is worth
 * (`waitMicrodollarsPerHour`) for the time until it would be finished. A new machine pays for its
 * boot, a warm one for the queue before it; so a warm one is preferred exactly as long as waiting
 * for it is cheaper than booting, and an instance with nothing left to do ends at once: there is
 * no idle timer to tune.
 */
import type { Offer } from '../providers/provider.ts';
import { bootMs, type Measured, price, type Work, workMs } from './estimate.ts';

export interface QueuedJob extends Work {
  jobId: string;
  priority: number;
  queuedAtMs: number;
  maxCostMicrodollars: number | null;
}

export interface LiveInstance {
  instanceId: string;
  provider: string;
  state: 'requested' | 'in_doubt' | 'booting' | 'ready' | 'terminating';
  priceMicrodollarsPerHour: number;
  speed: number;
  requestedAtMs: number;
  deadlineAtMs: number;
  /** What it was given and has not finished. */
  jobs: Work[];
  /** Expected boot time of its kind. */
  bootMs: number;
}

export interface Policy {
  maxInstances: number;
  maxPriceMicrodollarsPerHour: number;
  /** Left of the month's budget. */
  budgetMicrodollars: number;
  waitMicrodollarsPerHour: number;
  maxLeaseMs: number;
}

export interface PlanInput {
  nowMs: number;
  /** Somebody holds the queue: every job waits. */
  held: boolean;
  jobs: QueuedJob[];
  instances: LiveInstance[];
  offers: Offer[];
  policy: Policy;
  measured: Record<string, Measured>;
}

export type Action =
  | { type: 'rent'; offer: Offer; jobIds: string[]; because: string }
  | { type: 'assign'; instanceId: string; jobId: string; because: string }
  | { type: 'drain'; instanceId: string; because: string }
  | { type: 'wait'; jobId: string; because: string };

/** Somewhere a job could go: a live instance, one that this plan rents, or an offer not yet taken. */
interface Place {
  provider: string;
  speed: number;
  priceMicrodollarsPerHour: number;
  /** Until it could begin with another job. */
  freeInMs: number;
  /** Money that choosing it costs before any work. */
  entryMicrodollars: number;
  /** Time it has left. */
  leftMs: number;
  take(job: QueuedJob, because: string): Place;
}

export function plan(input: PlanInput): Action[] {
  const { policy, measured } = input;
  const actions: Action[] = [];
  const busy = new Set<string>();
  const places: Place[] = [];
  let budget = policy.budgetMicrodollars;
  let living = input.instances.length;

  for (const instance of input.instances) {
    if (instance.state === 'terminating' || instance.state === 'in_doubt') continue;
    if (instance.jobs.length > 0) busy.add(instance.instanceId);
    const bootLeftMs =
      instance.state === 'ready' ? 0 : Math.max(0, instance.requestedAtMs + instance.bootMs - input.nowMs);
    const place: Place = {
      ...instance,
      freeInMs:
        bootLeftMs +
        sum(instance.jobs.map((job) => workMs(job, instance.speed, measured[instance.provider]))),
      entryMicrodollars: 0,
      leftMs: instance.deadlineAtMs - input.nowMs,
      take(job, because) {
        busy.add(instance.instanceId);
        actions.push({ type: 'assign', instanceId: instance.instanceId, jobId: job.jobId, because });
        return place;
      },
    };
    places.push(place);
  }

  const taken = new Map<Offer, number>();
  const openOffers = () =>
    living >= policy.maxInstances
      ? []
      : input.offers
          .filter((offer) => offer.priceMicrodollarsPerHour <= policy.maxPriceMicrodollarsPerHour)
          .filter((offer) => (taken.get(offer) ?? 0) < offer.available)
          .map((offer): Place => {
            const boot = bootMs(offer, measured[offer.provider]);
            return {
              provider: offer.provider,
              speed: offer.speed,
              priceMicrodollarsPerHour: offer.priceMicrodollarsPerHour,
              freeInMs: boot,
              entryMicrodollars: price(offer.priceMicrodollarsPerHour, boot),
              leftMs: policy.maxLeaseMs,
              take(job, because) {
                living++;
                taken.set(offer, (taken.get(offer) ?? 0) + 1);
                const rent = { type: 'rent' as const, offer, jobIds: [job.jobId], because };
                actions.push(rent);
                const rented: Place = {
                  ...this,
                  entryMicrodollars: 0,
                  take(next) {
                    rent.jobIds.push(next.jobId);
                    return rented;
                  },
                };
                places.push(rented);
                return rented;
              },
            };
          });

  for (const job of [...input.jobs].sort(byTurn)) {
    if (input.held) {
      actions.push({ type: 'wait', jobId: job.jobId, because: 'the queue is held' });
      continue;
    }
    const options = [...places, ...openOffers()].map((place) => {
      const work = workMs(job, place.speed, measured[place.provider]);
      const doneInMs = place.freeInMs + work;
      const money = place.entryMicrodollars + price(place.priceMicrodollarsPerHour, work);
      return { place, work, doneInMs, money, score: money + price(policy.waitMicrodollarsPerHour, doneInMs) };
    });
    const allowed = options.filter(
      ({ place, doneInMs, money }) =>
        doneInMs < place.leftMs && money <= (job.maxCostMicrodollars ?? Infinity) && money <= budget,
    );
    const best = allowed.toSorted(better)[0];
    if (!best) {
      actions.push({ type: 'wait', jobId: job.jobId, because: whyNot(options, job, budget, input) });
      continue;
    }
    budget -= best.money;
    const place = best.place.take(job, whyThis(best, options));
    place.freeInMs = best.doneInMs;
  }

  for (const { instanceId, state } of input.instances) {
    if (state !== 'terminating' && state !== 'in_doubt' && !busy.has(instanceId)) {
      actions.push({ type: 'drain', instanceId, because: 'no job is left for it' });
    }
  }
  return actions;
}

/** Higher priority first, then first come, first served; the id only makes it deterministic. */
function byTurn(a: QueuedJob, b: QueuedJob): number {
  return b.priority - a.priority || a.queuedAtMs - b.queuedAtMs || (a.jobId < b.jobId ? -1 : 1);
}

/** Lowest score first; where rounding to micro-dollars makes a tie, sooner, then cheaper by the hour. */
function better(a: Option, b: Option): number {
  return (
    a.score - b.score ||
    a.doneInMs - b.doneInMs ||
    a.place.priceMicrodollarsPerHour - b.place.priceMicrodollarsPerHour
  );
}

type Option = { place: Place; doneInMs: number; money: number; score: number };

function whyThis(best: Option, options: Option[]): string {
  const what = `${best.place.provider}: ${dollars(best.money)}, done in ${seconds(best.doneInMs)}`;
  const others = options.length - 1;
  return others === 0 ? `${what}; nothing else is on offer` : `${what}; the best of ${options.length}`;
}

function whyNot(options: Option[], job: QueuedJob, budget: number, input: PlanInput): string {
  if (options.length === 0) {
    return input.instances.length >= input.policy.maxInstances
      ? `all ${input.policy.maxInstances} instances that may live are taken`
      : 'no provider offers a machine now';
  }
  const least = Math.min(...options.map((option) => option.money));
  if (least > budget) return `it would cost ${dollars(least)} and ${dollars(budget)} are left this month`;
  if (least > (job.maxCostMicrodollars ?? Infinity)) {
    return `it would cost ${dollars(least)}, more than its limit of ${dollars(job.maxCostMicrodollars!)}`;
  }
  return 'it would outlast every instance';
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function dollars(microdollars: number): string {
  return `$${(microdollars / 1e6).toFixed(4)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
