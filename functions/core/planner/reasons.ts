/** The one line that goes with each decision. */

import { dollars } from '../money.ts';
import { choose } from './choose.ts';
import { duration } from './durations.ts';
import { whyNotEligible } from './eligible.ts';
import { explainLimit, type Limit, type Limits, limitOf } from './limits.ts';
import type { Option } from './places.ts';
import type { QueuedJob, Situation } from './situation.ts';

/** Why a job waits; the words may change from look to look, this only when the reason does. */
export type WaitReason = Limit | 'held' | 'in_doubt' | 'no_offer' | 'none_eligible' | 'turn';

export function whyThere({ place, microdollars, doneInMs }: Option, count: number, isLate: boolean): string {
  const { provider, gpu } = place.offer;
  const what = `${provider}${gpu === null ? '' : ` ${gpu}`}: ${dollars(microdollars)}, done in ${duration(doneInMs)}`;
  if (isLate) return `${what}; no place meets its deadline, this is the fastest`;
  return count === 1 ? `${what}; nothing else is on offer` : `${what}; the best of ${count}`;
}

export function whyAsk({ quote, confirmedMicrodollars }: QueuedJob, microdollars: number): string {
  if (confirmedMicrodollars !== null)
    return `it would now cost ${dollars(microdollars)}; ${dollars(confirmedMicrodollars)} were agreed to`;
  return `it may cost ${dollars(Math.max(quote?.maxMicrodollars ?? 0, microdollars))}, more than may be spent unasked`;
}

/** @param options none of which is allowed: what stands against the one that costs least is told. */
export function whyNowhere(
  options: Option[],
  limits: Limits,
  { offers, policy, barred, nowMs }: Situation,
): { why: WaitReason; because: string } {
  const least = choose(options, { deadlineAtMs: null }, nowMs, policy)?.option;
  const limit = least && limitOf(least, limits);
  if (least && limit) return { why: limit, because: explainLimit(limit, least, limits) };
  const [cheapest] = offers.toSorted((a, b) => a.priceMicrodollarsPerHour - b.priceMicrodollarsPerHour);
  if (!cheapest) return { why: 'no_offer', because: 'no provider offers a machine now' };
  return {
    why: 'none_eligible',
    because: `none of ${offers.length} offers may be rented; the cheapest: ${whyNotEligible(cheapest, policy, barred)}`,
  };
}
