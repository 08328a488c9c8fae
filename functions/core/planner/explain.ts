/**
 * What a dry run tells beside the decisions: for each job the places in order, with money and time,
 * and of each that was not chosen from why. Pure.
 */
import { inOrder } from './choose.ts';
import { minutes } from './durations.ts';
import { whyNotEligible } from './eligible.ts';
import { explainLimit, limitOf } from './limits.ts';
import type { Option } from './places.ts';
import type { Observe } from './plan.ts';
import type { Quote } from './quote.ts';
import type { Situation } from './situation.ts';

export interface ConsideredPlace {
  provider: string;
  /** What would be rented; of a machine that lives, what was. */
  offerId: string;
  /** null: it would have to be rented. */
  instanceId: string | null;
  gpu: string | null;
  region: string | null;
  interruptible: boolean;
  priceMicrodollarsPerHour: number;
  expectedMicrodollars: number;
  expectedMinutes: number;
  /** null: the job may go there. */
  rejectedBecause: string | null;
}

export interface RejectedOffer {
  provider: string;
  offerId: string;
  gpu: string | null;
  region: string | null;
  priceMicrodollarsPerHour: number;
  because: string;
}

export interface Consideration {
  /** Offers that no job may have. */
  rejectedOffers: RejectedOffer[];
  /** In the order of their turns. */
  jobs: { jobId: string; quote: Quote | null; places: ConsideredPlace[] }[];
}

/** More jobs than this are decided about and not explained: nobody reads them, and they are megabytes. */
const mostExplained = 50;

/** What watches a plan being made, and what it has seen afterwards. */
export function considering(situation: Situation): { observe: Observe; considered: Consideration } {
  const considered: Consideration = { rejectedOffers: rejectedOffers(situation), jobs: [] };
  return {
    considered,
    observe(job, options, limits) {
      if (considered.jobs.length >= mostExplained) return;
      const places = options.map((option) => {
        const limit = limitOf(option, limits);
        return { option, rejectedBecause: limit && explainLimit(limit, option, limits) };
      });
      const reasons = new Map(places.map((one) => [one.option, one.rejectedBecause]));
      const allowed = places.filter((one) => one.rejectedBecause === null).map((one) => one.option);
      const rejected = places.filter((one) => one.rejectedBecause !== null).map((one) => one.option);
      considered.jobs.push({
        jobId: job.jobId,
        quote: job.quote,
        places: [...inOrder(allowed, situation.policy), ...inOrder(rejected, situation.policy)].map(
          (option) => describe(option, reasons.get(option)!),
        ),
      });
    },
  };
}

function rejectedOffers({ offers, policy, barred }: Situation): RejectedOffer[] {
  return offers.flatMap((offer) => {
    const because = whyNotEligible(offer, policy, barred);
    if (because === null) return [];
    const { provider, offerId, gpu, region, priceMicrodollarsPerHour } = offer;
    return [{ provider, offerId, gpu, region, priceMicrodollarsPerHour, because }];
  });
}

function describe(
  { place, microdollars, doneInMs }: Option,
  rejectedBecause: string | null,
): ConsideredPlace {
  const { provider, offerId, gpu, region, interruptible } = place.offer;
  return {
    provider,
    offerId,
    instanceId: place.kind === 'instance' ? place.name : null,
    gpu,
    region,
    interruptible,
    priceMicrodollarsPerHour: place.priceMicrodollarsPerHour,
    expectedMicrodollars: microdollars,
    expectedMinutes: minutes(doneInMs),
    rejectedBecause,
  };
}
