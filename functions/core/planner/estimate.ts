/**
 * How long work and boots take: priors, corrected by what earlier runs measured. All times in ms.
 */
import type { Offer } from '../providers/provider.ts';

/** What is known of a queued job. */
export interface Work {
  analyses: string[];
  kind: string | null;
  durationMs: number | null;
}

/**
 * CPU seconds per second of medium on two cores with the packaged models (`npm run bench -- worker`
 * prints them), and per still picture.
 */
const priors: Record<string, { perSecond: number; perPicture: number }> = {
  metadata: { perSecond: 0, perPicture: 0 },
  transcribe: { perSecond: 0.12, perPicture: 0 },
  ocr: { perSecond: 0.35, perPicture: 1.2 },
  objects: { perSecond: 0.12, perPicture: 0.1 },
  faces: { perSecond: 0.2, perPicture: 0.2 },
  scenes: { perSecond: 0.06, perPicture: 0.1 },
};

/** Fetching, probing, opening models: what even the shortest medium takes. */
const overheadMs = 400;

/** A medium of unknown length counts as ten minutes. */
const unknownMs = 600_000;

export function priorWorkMs(work: Work): number {
  const seconds = (work.durationMs ?? unknownMs) / 1000;
  const sum = work.analyses.reduce((total, name) => {
    const prior = priors[name] ?? { perSecond: 0.5, perPicture: 1 };
    return total + (work.kind === 'image' ? prior.perPicture : prior.perSecond * seconds);
  }, 0);
  return overheadMs + sum * 1000;
}

/** Learned per provider: medians, so that one odd run moves nothing. */
export interface Measured {
  /** From create asked to hello. */
  bootMs?: number;
  /** Real work ÷ prior work. */
  workFactor?: number;
}

export function workMs(work: Work, speed: number, measured: Measured | undefined): number {
  return (priorWorkMs(work) / speed) * (measured?.workFactor ?? 1);
}

export function bootMs(offer: Offer, measured: Measured | undefined): number {
  return measured?.bootMs ?? offer.bootMs;
}

/** Micro-dollars for some time at an hourly price. */
export function price(microdollarsPerHour: number, durationMs: number): number {
  return Math.ceil((microdollarsPerHour * durationMs) / 3_600_000);
}
