/**
 * The planner: a pure function from what is to what should be done. No clock, no I/O, no chance;
 * the same situation gives the same actions, each with its reason in one line.
 *
 * Every job goes where its score is lowest: the money it adds there, plus what waiting is worth for
 * the time until it would be finished. A new machine pays for its boot, a warm one for the queue
 * before it; so a warm one is preferred exactly as long as waiting for it is cheaper than booting,
 * and an instance with nothing left to do ends at once: there is no idle timer to tune.
 *
 * A machine is only given the work of the next minutes. What would come later there stays in the
 * queue, where the next look may find it a better place, and where who comes later takes turns with it.
 *
 * The rest of this folder, in the order in which a look at the queue needs it:
 *
 * - what is: offers.ts keeps what providers offer, history.ts and learned.ts what earlier runs taught, and
 *   snapshot.ts reads all of it with queue and machines into one value, situation.ts; hold.ts is the brake;
 * - whose turn, and where it could go: turns.ts; eligible.ts, which offers at all; estimate.ts, what the work
 *   asks of any machine; pace.ts, what to expect of this one; places.ts, what the job takes and costs there;
 * - what is allowed and best: limits.ts, purse.ts, choose.ts; quote.ts, and whether a person is asked first;
 * - why, for people: reasons.ts and durations.ts; explain.ts tells of a dry run what was considered;
 * - what is done: decide.ts is one look, with locks and transaction; rent.ts writes leases, record.ts the rest.
 */

import { price } from '../money.ts';
import type { Offer } from '../providers/provider.ts';
import { choose } from './choose.ts';
import { whyNotEligible } from './eligible.ts';
import { taskOf } from './estimate.ts';
import { type Limits, limitOf, limitsAmong, type Running } from './limits.ts';
import { type Option, optionAt, type Place, placeOfInstance, placeOfOffer } from './places.ts';
import { openPurse, type Purse, reserve } from './purse.ts';
import { needsConfirmation } from './quote.ts';
import { type WaitReason, whyAsk, whyNowhere, whyThere } from './reasons.ts';
import type { LiveInstance, QueuedJob, Situation } from './situation.ts';
import { inTurn } from './turns.ts';

export interface Start {
  jobId: string;
  startInMs: number;
}

export interface Rent {
  type: 'rent';
  offer: Offer;
  /** The first is whom it is rented for. */
  jobs: Start[];
  expectedMicrodollars: number;
  /** It ends before it costs more, and after so long. */
  maxCostMicrodollars: number;
  leaseMs: number;
  because: string;
}

export type Action =
  | Rent
  | ({ type: 'assign'; instanceId: string; because: string } & Start)
  | { type: 'drain'; instanceId: string; because: string }
  /** A person must agree to its cost first: all it has cost and is expected to where it would go now. */
  | { type: 'ask'; jobId: string; microdollars: number; because: string }
  | { type: 'wait'; jobId: string; why: WaitReason; startInMs: number | null; because: string };

/** Is told of every job what could be done with it: for a dry run. */
export type Observe = (job: QueuedJob, options: Option[], limits: Limits) => void;

/** Work that a machine is given ahead: enough that it never idles between two looks at the queue, which come every half minute. */
const committedMs = 600_000;

export function plan(situation: Situation, observe?: Observe): Action[] {
  const { nowMs, policy } = situation;
  const actions: Action[] = [];
  const purse = openPurse(policy, situation.spent);
  const { places, running, busy } = openFleet(situation, purse);
  const offers = openOffers(situation);
  const rents = new Map<Place, Rent>();

  for (const job of inTurn(situation.jobs, holdingOf(situation.instances), nowMs)) {
    const task = taskOf(job);
    const options = [...places, ...offers].map((place) => optionAt(place, task, policy));
    const limits = limitsAmong(options, { job, policy, running, left: purse.left(job.userId) });
    observe?.(job, options, limits);
    const { jobId } = job;
    const wait = (why: WaitReason, because: string, startInMs: number | null = null) =>
      actions.push({ type: 'wait', jobId, why, startInMs, because });
    if (situation.held) {
      wait('held', 'the queue is held');
      continue;
    }
    if (job.isInDoubt) {
      wait('in_doubt', 'a machine was asked for it, and whether there is one is not known yet');
      continue;
    }
    const choice = choose(
      options.filter((option) => limitOf(option, limits) === null),
      job,
      nowMs,
      policy,
    );
    const total = choice ? job.spentMicrodollars + choice.option.microdollars : 0;
    if (needsConfirmation(job, total, policy)) {
      actions.push({ type: 'ask', jobId, microdollars: total, because: whyAsk(job, total) });
      continue;
    }
    if (!choice) {
      const { why, because } = whyNowhere(options, limits, situation);
      wait(why, because);
      continue;
    }
    const { option } = choice;
    const { place, startInMs, microdollars } = option;
    const because = whyThere(option, options.length, choice.isLate);
    purse.take(job.userId, microdollars);
    if (place.kind === 'offer') {
      const rent = rentOf(option, jobId, because);
      actions.push(rent);
      const rented = rentedPlace(option, rents.size);
      rents.set(rented, rent);
      places.push(rented);
      place.stockLeft--;
      running.instances++;
      running.microdollarsPerHour += place.priceMicrodollarsPerHour;
      continue;
    }
    if (place.aheadMs >= committedMs) {
      wait('turn', `its turn at ${place.offer.provider} comes when the work before it is done`, startInMs);
    } else if (place.kind === 'rented') {
      const rent = rents.get(place)!;
      rent.jobs.push({ jobId, startInMs });
      rent.expectedMicrodollars += microdollars;
    } else {
      busy.add(place.name);
      actions.push({ type: 'assign', instanceId: place.name, jobId, startInMs, because });
    }
    place.freeInMs = option.doneInMs;
    place.aheadMs += option.workMs;
  }

  limitLeases([...rents.values()], purse.leftForAll(), policy.maxLeaseMs);
  for (const { instanceId } of situation.instances.filter(takesWork).toSorted(byId)) {
    if (!busy.has(instanceId)) actions.push({ type: 'drain', instanceId, because: 'no job is left for it' });
  }
  return actions;
}

/** The machines that are not proven gone, and what they are yet expected to cost, out of the purse. */
function openFleet({ instances, learned, nowMs }: Situation, purse: Purse) {
  const places: Place[] = [];
  const running: Running = { instances: instances.length, microdollarsPerHour: 0 };
  const busy = new Set<string>();
  for (const instance of instances) {
    const place = placeOfInstance(instance, learned, nowMs);
    reserve(purse, instance, place);
    running.microdollarsPerHour += instance.priceMicrodollarsPerHour;
    if (instance.jobs.length > 0) busy.add(instance.instanceId);
    if (takesWork(instance)) places.push(place);
  }
  return { places, running, busy };
}

/** Places of the offers that may be rented. */
export function openOffers({ offers, policy, barred, learned }: Situation): Place[] {
  return offers
    .filter((offer) => whyNotEligible(offer, policy, barred) === null)
    .map((offer) => placeOfOffer(offer, learned, policy.maxLeaseMs));
}

function takesWork({ state }: LiveInstance): boolean {
  return state !== 'terminating' && state !== 'in_doubt';
}

function holdingOf(instances: LiveInstance[]): Record<string, number> {
  const holding: Record<string, number> = {};
  for (const { userId } of instances.flatMap((instance) => instance.jobs))
    holding[userId] = (holding[userId] ?? 0) + 1;
  return holding;
}

function byId(a: LiveInstance, b: LiveInstance): number {
  return a.instanceId < b.instanceId ? -1 : 1;
}

function rentOf({ place, startInMs, microdollars }: Option, jobId: string, because: string): Rent {
  return {
    type: 'rent',
    offer: place.offer,
    jobs: [{ jobId, startInMs }],
    expectedMicrodollars: microdollars,
    maxCostMicrodollars: 0,
    leaseMs: 0,
    because,
  };
}

function rentedPlace({ place, doneInMs, workMs }: Option, count: number): Place {
  return {
    ...place,
    kind: 'rented',
    name: `${place.name}#${count}`,
    freeInMs: doneInMs,
    aheadMs: workMs,
    entryMs: 0,
  };
}

/** What the budgets have left beyond all that is expected is shared out evenly: together the leases stay within. */
function limitLeases(rents: Rent[], spareMicrodollars: number, maxLeaseMs: number): void {
  for (const rent of rents) {
    const hourly = rent.offer.priceMicrodollarsPerHour;
    const affordable = rent.expectedMicrodollars + Math.floor(spareMicrodollars / rents.length);
    rent.maxCostMicrodollars = Math.min(affordable, price(hourly, maxLeaseMs));
    rent.leaseMs =
      hourly === 0 ? maxLeaseMs : Math.min(maxLeaseMs, Math.floor((affordable / hourly) * 3_600_000));
  }
}
