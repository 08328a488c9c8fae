/**
 * Which offers may be rented at all, whatever the job: policy, and what bad experience bars for now.
 * Every offer that may not has its reason, in one line for people.
 */

import { hourly } from '../money.ts';
import type { Offer } from '../providers/provider.ts';
import { type Barred, barredKey, type Policy } from './situation.ts';

/** Pure. @returns null where it may be rented. */
export function whyNotEligible(offer: Offer, policy: Policy, barred: Barred): string | null {
  const { provider, offerId, host, region } = offer;
  if (!policy.providers.includes(provider)) return `${provider} is not among the providers`;
  const paused = barred.providers[provider];
  if (paused !== undefined) return `${provider}: ${paused}`;
  const bad =
    barred.offersAndHosts[barredKey(provider, 'offer', offerId)] ??
    (host === null ? undefined : barred.offersAndHosts[barredKey(provider, 'host', host)]);
  if (bad !== undefined) return bad;
  if (offer.priceMicrodollarsPerHour > policy.maxPriceMicrodollarsPerHour)
    return `${hourly(offer.priceMicrodollarsPerHour)} is more than the ${hourly(policy.maxPriceMicrodollarsPerHour)} allowed`;
  if (offer.interruptible && !policy.interruptible) return 'it may be taken away in the middle of the work';
  if (!isIn(policy.regions, region)) return `its region, ${region ?? 'unknown'}, is not among those allowed`;
  return whyTooSmall(offer, policy);
}

function isIn(regions: string[], region: string | null): boolean {
  if (regions.length === 0) return true;
  return regions.some((one) => region?.toLowerCase().includes(one.toLowerCase()));
}

/** What is asked of a GPU is not asked of a machine without one, which works with other models. */
function whyTooSmall({ gpu, vramMb, cuda, reliability }: Offer, policy: Policy): string | null {
  if (gpu === null) return null;
  if (vramMb < policy.minVramMb)
    return `its ${vramMb} MB of GPU memory are less than the ${policy.minVramMb} needed`;
  if (cuda !== null && cuda < policy.minCuda)
    return `its driver runs CUDA ${cuda}, older than the ${policy.minCuda} needed`;
  if (reliability !== null && reliability < policy.minReliability)
    return `its reliability of ${reliability} is below ${policy.minReliability}`;
  return null;
}
