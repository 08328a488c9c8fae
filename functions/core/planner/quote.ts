/**
 * What a job will cost and how long it will take, told before anything is rented. Pure.
 *
 * The most is what it costs on the machine that would be chosen if it had to be rented for this job
 * alone, in one of the slower runs. The least is what its work alone costs on the cheapest machine
 * that is warm already, in one of the faster runs.
 */

import { hourly } from '../money.ts';
import { choose } from './choose.ts';
import { duration, minutes } from './durations.ts';
import { taskOf, type Work } from './estimate.ts';
import { optionAt, optionWith, type Place } from './places.ts';
import type { Policy, QueuedJob } from './situation.ts';

export interface Quote {
  minMicrodollars: number;
  maxMicrodollars: number;
  /** On the machine that would be chosen, rented for it alone. */
  expectedMicrodollars: number;
  minMinutes: number;
  maxMinutes: number;
  expectedMinutes: number;
  /** Kinds of machines that could do it. */
  offersConsidered: number;
  /** How often such a job ran on such a machine before: what the estimate stands on. */
  basedOn: { runs: number };
  because: string;
}

/** A job may cost so many times what a person agreed to before he is asked again. */
const mayRise = 1.2;

/**
 * @param offers places of the offers that may be rented (eligible.ts); how many are left of each does
 *   not count, since it is told for later.
 * @returns null where there are none.
 */
export function quoteOf(
  work: Work & { deadlineAtMs?: number | null },
  offers: Place[],
  policy: Policy,
  nowMs: number,
): Quote | null {
  const task = taskOf(work);
  const alone = offers.map((place) => optionAt(place, task, policy));
  const inTime = alone.filter((option) => option.doneInMs < option.place.leftMs);
  const chosen = choose(inTime, { deadlineAtMs: work.deadlineAtMs ?? null }, nowMs, policy)?.option;
  if (!chosen) return null;
  const factor = chosen.place.pace.factorOf(task.sort);
  const most = optionWith(chosen.place, task, policy, factor.high);
  const warm = inTime.map(({ place }) =>
    optionWith({ ...place, entryMs: 0, freeInMs: 0 }, task, policy, place.pace.factorOf(task.sort).low),
  );
  const { offer } = chosen.place;
  const kind = `${offer.provider}${offer.gpu === null ? '' : ` ${offer.gpu}`} at ${hourly(offer.priceMicrodollarsPerHour)}`;
  return {
    minMicrodollars: Math.min(...warm.map((option) => option.microdollars)),
    maxMicrodollars: most.microdollars,
    expectedMicrodollars: chosen.microdollars,
    minMinutes: minutes(Math.min(...warm.map((option) => option.doneInMs))),
    maxMinutes: minutes(most.doneInMs),
    expectedMinutes: minutes(chosen.doneInMs),
    offersConsidered: inTime.length,
    basedOn: { runs: factor.runs },
    because: `${kind}: ${duration(chosen.startInMs)} until it is ready, ${duration(chosen.workMs)} of work`,
  };
}

/**
 * Whether a person must agree before the job goes on.
 *
 * @param expected what it will have cost in all if it goes where it would go now; 0 where it can go nowhere.
 */
export function needsConfirmation(
  job: Pick<QueuedJob, 'quote' | 'confirmedMicrodollars' | 'maxCostMicrodollars'>,
  expected: number,
  { confirmAboveMicrodollars }: Pick<Policy, 'confirmAboveMicrodollars'>,
): boolean {
  if (job.confirmedMicrodollars !== null) return expected > job.confirmedMicrodollars * mayRise;
  const likely = Math.max(job.quote?.maxMicrodollars ?? 0, expected);
  // A limit of its own is a word already: it is stopped there.
  return Math.min(likely, job.maxCostMicrodollars ?? Infinity) > confirmAboveMicrodollars;
}
