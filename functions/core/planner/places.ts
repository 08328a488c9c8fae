/**
 * Places a job could go: a machine that lives, or one that would be rented for it; and what it would
 * cost and take there. Pure.
 */

import { price } from '../money.ts';
import type { Offer } from '../providers/provider.ts';
import { type Task, taskOf } from './estimate.ts';
import type { Learned } from './learned.ts';
import { type Pace, paceOf } from './pace.ts';
import type { HeldJob, LiveInstance, Policy } from './situation.ts';

export interface Place {
  /** A machine that lives; one that would be rented; one that this look has decided to rent. */
  kind: 'instance' | 'offer' | 'rented';
  /** Different for every place, the same in the next look: of an instance its id. Decides where all else is equal. */
  name: string;
  offer: Offer;
  priceMicrodollarsPerHour: number;
  pace: Pace;
  /** Until it could begin with another job. */
  freeInMs: number;
  /** The work that it has been given and not done. */
  aheadMs: number;
  /** Time that is billed before the first job begins: of a machine that lives, others have paid it. */
  entryMs: number;
  /** Time until its lease ends. */
  leftMs: number;
  /** Of an offer: how many may be rented yet. */
  stockLeft: number;
}

/** A job at a place. */
export interface Option {
  place: Place;
  startInMs: number;
  workMs: number;
  doneInMs: number;
  /** Expected money, entry and traffic with it. */
  microdollars: number;
  /** The money, and what waiting is worth until it is done. */
  score: number;
}

/** Parts are saved every ten seconds of work (gpu-worker/pipeline/lane.ts); finding its place again takes as long. */
const repeatedMs = 20_000;

export function placeOfInstance(instance: LiveInstance, learned: Learned, nowMs: number): Place {
  const { instanceId, offer, state, requestedAtMs } = instance;
  const pace = paceOf(offer, learned);
  const bootLeftMs = state === 'ready' ? 0 : Math.max(0, requestedAtMs + pace.bootMs - nowMs);
  const aheadMs = instance.jobs.reduce((sum, job) => sum + remainingMs(job, offer, pace), 0);
  return {
    kind: 'instance',
    name: instanceId,
    offer,
    priceMicrodollarsPerHour: instance.priceMicrodollarsPerHour,
    pace,
    freeInMs: bootLeftMs + aheadMs,
    aheadMs,
    entryMs: 0,
    leftMs: instance.deadlineAtMs - nowMs,
    stockLeft: 0,
  };
}

export function placeOfOffer(offer: Offer, learned: Learned, maxLeaseMs: number): Place {
  const pace = paceOf(offer, learned);
  return {
    kind: 'offer',
    name: `${offer.provider}/${offer.offerId}`,
    offer,
    priceMicrodollarsPerHour: offer.priceMicrodollarsPerHour,
    pace,
    freeInMs: pace.bootMs + pace.failedMs,
    aheadMs: 0,
    entryMs: pace.billedBootMs + pace.billedFailedMs,
    leftMs: maxLeaseMs,
    stockLeft: offer.available,
  };
}

/** What a machine still has to do for a job that it holds. */
export function remainingMs(job: HeldJob, offer: Offer, pace: Pace): number {
  const task = taskOf(job);
  return (1 - job.progress) * busyMs(task, offer, pace, pace.factorOf(task.sort).expected);
}

/** What is expected of some work at a place. */
export function optionAt(place: Place, task: Task, policy: Waiting): Option {
  return optionWith(place, task, policy, place.pace.factorOf(task.sort).expected);
}

type Waiting = Pick<Policy, 'waitMicrodollarsPerHour'>;

/** The same, where the work takes `factor` times its prior. */
export function optionWith(place: Place, task: Task, policy: Waiting, factor: number): Option {
  const { pace, priceMicrodollarsPerHour, offer } = place;
  const workMs = busyMs(task, offer, pace, factor);
  // Taken away, it is rented anew and goes on after the last part that was saved.
  const losses = (pace.lossesPerHour * workMs) / 3_600_000;
  const lostMs = losses * (pace.bootMs + pace.failedMs + repeatedMs);
  const billedLostMs = losses * (pace.billedBootMs + pace.billedFailedMs + repeatedMs);
  const doneInMs = place.freeInMs + workMs + lostMs;
  const microdollars =
    price(priceMicrodollarsPerHour, place.entryMs + workMs + billedLostMs) + trafficOf(task, offer);
  return {
    place,
    startInMs: place.freeInMs,
    workMs,
    doneInMs,
    microdollars,
    score: microdollars + price(policy.waitMicrodollarsPerHour, doneInMs),
  };
}

/** Work, and what it waits for bytes beside that. */
function busyMs({ priorMs, bytes }: Task, { speed }: Offer, pace: Pace, factor: number): number {
  return (priorMs / speed) * factor + bytes / pace.bytesPerMs;
}

/** What goes out is text and small pictures: a hundredth of what comes in is more than was seen. */
const outShare = 0.01;

function trafficOf({ bytes }: Task, { trafficMicrodollarsPerGb }: Offer): number {
  const { in: comesIn, out } = trafficMicrodollarsPerGb;
  if (comesIn === 0 && out === 0) return 0;
  return Math.ceil((bytes / 1e9) * (comesIn + outShare * out));
}
