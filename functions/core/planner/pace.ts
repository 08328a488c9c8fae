/**
 * What to expect of a machine of some kind: what was measured, as far as it is to be believed, and
 * otherwise what the offer says. Pure. All times in ms.
 */
import type { Offer } from '../providers/provider.ts';
import { hostKey, kindKey, type Learned, type Measure, workKey } from './learned.ts';

export interface Pace {
  /** From the create request to the worker's hello. */
  bootMs: number;
  /** Of that, what is billed. */
  billedBootMs: number;
  /** What the machines that do not come up add to each that does: time, and billed time. */
  failedMs: number;
  billedFailedMs: number;
  /** Bytes of the medium for each ms that the work waits for them. */
  bytesPerMs: number;
  /** How often in an hour it is taken away; 0 for what is not interruptible. */
  lossesPerHour: number;
  /** How much longer than its prior work of such a sort takes on it. */
  factorOf(sort: string): Factor;
}

export interface Factor {
  expected: number;
  /** Between them lies half of all runs. */
  low: number;
  high: number;
  /** Runs of the same analyses on such a machine that stand behind it. */
  runs: number;
}

/** A prior counts as so many samples: after a dozen it is nearly forgotten. */
const priorSamples = 2;

/** Opening models and testing the device, as a share of the boot that an offer promises; the rest is pulling. */
const loadShare = 1 / 3;

/** Nine machines of ten come up, until there are some that did or did not. */
const priorUp = 9;
const priorDown = 1;

/** Who waits for a machine that does not come up waits about three times its boot. */
const givenUpBoots = 3;

/** One loss in ten hours, as consumer machines and outbid ones are reported (facts: providers.md, Vast and Salad). */
const priorLosses = 1;
const priorLossHours = 10;

/** 200 Mbit/s where an offer does not tell: a slow data centre, a fast home. */
const unknownBytesPerMs = 25_000;

/** Half of all runs lie within these before any was measured. */
const priorLow = 0.6;
const priorHigh = 1.6;

export function paceOf(offer: Offer, learned: Learned): Pace {
  const { provider, gpu, host } = offer;
  const kind = kindKey(provider, gpu);
  const ofKind = blend(offer.bootMs, learned.bootMs[kind]);
  const bootMs = host === null ? ofKind : blend(ofKind, learned.bootMs[hostKey(provider, host)]);
  const loadMs = Math.min(bootMs, blend(offer.bootMs * loadShare, learned.loadMs[kind]));
  const { up = 0, down = 0, givenUpMs = null } = learned.boots[provider] ?? {};
  const failuresForEach = (down + priorDown) / (up + priorUp);
  const failedMs = failuresForEach * blend(bootMs * givenUpBoots, givenUpMs);
  const fromRequest = offer.billedFrom === 'request';
  const { times = 0, hours = 0 } = learned.losses[provider] ?? {};
  const factors = new Map<string, Factor>();
  return {
    bootMs,
    billedBootMs: fromRequest ? bootMs : loadMs,
    failedMs,
    billedFailedMs: fromRequest ? failedMs : 0,
    bytesPerMs: blend(
      offer.downloadMbps ? offer.downloadMbps * 125 : unknownBytesPerMs,
      learned.bytesPerMs[provider],
    ),
    lossesPerHour: offer.interruptible ? (times + priorLosses) / (hours + priorLossHours) : 0,
    factorOf(sort) {
      const known = factors.get(sort);
      if (known) return known;
      const factor = factorFor(workKey(kind, sort), kind, provider, learned);
      factors.set(sort, factor);
      return factor;
    },
  };
}

/** From what is known of the provider to what is known of just this: each corrects the one before. */
function factorFor(key: string, kind: string, provider: string, { workFactor }: Learned): Factor {
  const exact = workFactor[key];
  const coarse = blend(blend(1, workFactor[provider]), workFactor[kind]);
  return {
    expected: blend(coarse, exact),
    low: blend(coarse * priorLow, exact, 'low'),
    high: blend(coarse * priorHigh, exact, 'high'),
    runs: exact?.samples ?? 0,
  };
}

function blend(
  prior: number,
  measure: Measure | null | undefined,
  which: 'median' | 'low' | 'high' = 'median',
): number {
  if (!measure) return prior;
  return (prior * priorSamples + measure[which] * measure.samples) / (priorSamples + measure.samples);
}
