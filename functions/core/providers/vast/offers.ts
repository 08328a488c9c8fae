/**
 * Offers of Vast.ai. One search answers for both ways of renting: each of its rows tells the price
 * by the hour and the lowest bid, so a second search of type `bid` would cost a second place in the
 * narrowest limit that the API has and tell nothing new (dstack rents by bids found in the same way).
 */
import { z } from 'zod';
import { gpuByName } from '../gpus.ts';
import { microdollars } from '../http.ts';
import type { Offer } from '../provider.ts';
import { name } from './answers.ts';

export const Offers = z.object({
  offers: z.array(
    z.object({
      id: z.number().int(),
      machine_id: z.number().int(),
      gpu_name: z.string(),
      gpu_ram: z.number().nonnegative(), // MB
      cuda_max_good: z.number(),
      geolocation: z.string().nullish(), // `Sweden, SE`
      reliability: z.number().nullish(), // 0..1
      inet_down: z.number().nullish(), // Mb/s
      inet_down_cost: z.number().nonnegative(), // $/GB
      inet_up_cost: z.number().nonnegative(), // $/GB
      dph_base: z.number().nonnegative(), // $/hour for the GPU
      dph_total: z.number().nonnegative(), // with the storage that the search asked for
      min_bid: z.number().nonnegative().nullish(), // $/hour for the GPU
    }),
  ),
});
type Row = z.infer<typeof Offers>['offers'][number];

/** What a machine must have to be worth asking for. */
export interface Wanted {
  diskGb: number;
  minVramMb: number;
  minCuda: number;
  minReliability: number;
  /** It must be to be had for at least so long. */
  minLeaseMs: number;
  interruptible: boolean;
}

/** On slower lines an image of several GB outlasts the patience for a boot (facts: providers.md, 5, 13). */
const minDownloadMbps = 128;

/** The cheapest are all that is looked at: rows count against a daily quota. */
const mostOffers = 64;

/**
 * Who bids the minimum is outbid by the first who comes. A tenth more leaves most of what a bid saves:
 * a 4090 was to be had for 0.31 $ an hour by bid and 0.45 $ without (facts: providers.md, 6.1).
 */
const bidMargin = 1.1;

/** Loading takes 1 to 5 minutes as a rule (Vast's documentation). */
const bootMs = 180_000;

/** The body of a search (`POST /api/v0/bundles/`). */
export function search(wanted: Wanted) {
  return {
    type: 'on-demand',
    verified: { eq: true },
    rentable: { eq: true },
    rented: { eq: false },
    external: { eq: false },
    // A worker uses one GPU.
    num_gpus: { eq: 1 },
    gpu_arch: { eq: 'nvidia' },
    cpu_arch: { eq: 'amd64' },
    gpu_ram: { gte: wanted.minVramMb },
    cuda_max_good: { gte: wanted.minCuda },
    reliability: { gte: wanted.minReliability },
    inet_down: { gte: minDownloadMbps },
    disk_space: { gte: wanted.diskGb },
    duration: { gte: wanted.minLeaseMs / 1000 },
    // With it, dph_total holds the price of the disk that will be asked for.
    allocated_storage: wanted.diskGb,
    order: [
      ['dph_total', 'asc'],
      ['id', 'asc'],
    ],
    limit: mostOffers,
  };
}

/** Each row once for its fixed price and, where that is wanted and cheaper, once for a bid. */
export function toOffers({ offers }: z.infer<typeof Offers>, { interruptible }: Wanted): Offer[] {
  return offers.flatMap((row) => {
    const fixed = offerOf(row, String(row.id), microdollars(row.dph_total), false);
    if (!interruptible || !row.min_bid) return [fixed];
    const storage = Math.max(0, microdollars(row.dph_total) - microdollars(row.dph_base));
    // Bids are said in whole hundredths of a cent.
    const bid = Math.ceil(microdollars(row.min_bid * bidMargin) / 100) * 100;
    const byBid = offerOf(row, `${row.id}/bid/${storage}`, bid + storage, true);
    return byBid.priceMicrodollarsPerHour < fixed.priceMicrodollarsPerHour ? [fixed, byBid] : [fixed];
  });
}

function offerOf(row: Row, offerId: string, priceMicrodollarsPerHour: number, interruptible: boolean): Offer {
  return {
    provider: name,
    offerId,
    host: String(row.machine_id),
    gpu: row.gpu_name,
    vramMb: Math.floor(row.gpu_ram),
    cuda: row.cuda_max_good,
    region: row.geolocation ?? null,
    reliability: row.reliability ?? null,
    interruptible,
    priceMicrodollarsPerHour,
    trafficMicrodollarsPerGb: { in: microdollars(row.inet_down_cost), out: microdollars(row.inet_up_cost) },
    downloadMbps: row.inet_down ?? null,
    // The storage is billed from the request, the GPU when the container runs. An offer has one clock:
    // the one that never makes a machine look cheaper than it is.
    billedFrom: 'request',
    // An ask becomes one contract.
    available: 1,
    bootMs,
    speed: gpuByName(row.gpu_name).speed,
  };
}

/**
 * What an offer's id says: `123456`, or `123456/bid/2083` with the micro-dollars per hour that its
 * price holds for storage. That part of the price is not bid, and it does not move with the market.
 */
export function askOf(offer: Offer): { askId: string; bidDollarsPerHour: number | null } {
  const [askId, kind, storage] = offer.offerId.split('/');
  const bid = kind === 'bid' ? (offer.priceMicrodollarsPerHour - Number(storage)) / 1e6 : null;
  return { askId: askId!, bidDollarsPerHour: bid };
}
