/**
 * What earlier machines and runs taught: pure statistics over rows (history.ts reads them). Medians of
 * the newest fifty, so that one odd run moves nothing and the market of last month is forgotten. How
 * far a median is believed is another question: pace.ts.
 */
import type { EndReason } from '../instances/verdict.ts';
import { priorWorkMs, sortOf, type Work } from './estimate.ts';

/** An instance that is gone. */
export interface EndedInstance {
  provider: string;
  gpu: string | null;
  host: string | null;
  interruptible: boolean;
  reason: string | null;
  /** From the request until the worker said hello; null where it never did. */
  bootMs: number | null;
  /** The last part of it: from the worker program's first word. Null where it did not say one. */
  loadMs: number | null;
  /** From the request to the decision to end it. */
  lifeMs: number;
}

/** A job that succeeded at the first attempt. */
export interface EndedRun extends Work {
  provider: string;
  gpu: string | null;
  /** Of its offer: what was expected. */
  speed: number;
  tookMs: number;
  /** Of that, waiting for bytes of the medium; null where the worker did not tell. */
  transferMs: number | null;
}

export interface Measure {
  median: number;
  /** A quarter of the samples is lower, a quarter is higher. */
  low: number;
  high: number;
  samples: number;
}

export interface Learned {
  /** By `kindKey` and `hostKey`. */
  bootMs: Record<string, Measure>;
  /** By `kindKey`. */
  loadMs: Record<string, Measure>;
  /** Real work ÷ prior work, by provider, `kindKey` and `workKey`. */
  workFactor: Record<string, Measure>;
  /** Bytes for each ms that the work waited for them, by provider. */
  bytesPerMs: Record<string, Measure>;
  /** Machines that came up and that did not, by provider; and how long it took to give one up. */
  boots: Record<string, { up: number; down: number; givenUpMs: Measure | null }>;
  /** Interruptible machines by provider: how often they were taken away in how many hours. */
  losses: Record<string, { times: number; hours: number }>;
}

export const nothingLearned: Learned = {
  bootMs: {},
  loadMs: {},
  workFactor: {},
  bytesPerMs: {},
  boots: {},
  losses: {},
};

const mostSamples = 50;

/** Of smaller media the wait is mostly that for the first byte. */
const measuredBytes = 16 << 20;

export function kindKey(provider: string, gpu: string | null): string {
  return `${provider}|${gpu ?? 'cpu'}`;
}

export function hostKey(provider: string, host: string): string {
  return `${provider}@${host}`;
}

/** A sort of work (estimate.ts) on such a machine. */
export function workKey(kind: string, sort: string): string {
  return `${kind}|${sort}`;
}

/** Ends that the machine is to blame for where they come before the worker's hello. */
const failedBoots: readonly string[] = [
  'pull_timeout',
  'load_timeout',
  'crash_loop',
  'start_failed',
  'unfit',
  'never_appeared',
  'vanished',
  'preempted',
  'broken',
] satisfies EndReason[];

const takenAway: EndReason = 'preempted';

/** Pure. Both lists newest first. */
export function learn(instances: EndedInstance[], runs: EndedRun[]): Learned {
  return {
    bootMs: measure(instances, ({ provider, gpu, host, bootMs }) =>
      bootMs === null
        ? []
        : [kindKey(provider, gpu), ...(host === null ? [] : [hostKey(provider, host)])].map((key) => [
            key,
            bootMs,
          ]),
    ),
    loadMs: measure(instances, ({ provider, gpu, loadMs }) =>
      loadMs === null ? [] : [[kindKey(provider, gpu), loadMs]],
    ),
    workFactor: measure(runs, (run) => {
      const kind = kindKey(run.provider, run.gpu);
      const workMs = Math.max(0, run.tookMs - (run.transferMs ?? 0));
      const factor = (workMs * run.speed) / priorWorkMs(run);
      return [run.provider, kind, workKey(kind, sortOf(run))].map((key) => [key, factor]);
    }),
    bytesPerMs: measure(runs, ({ provider, sizeBytes, transferMs }) =>
      transferMs === null || (sizeBytes ?? 0) < measuredBytes
        ? []
        : [[provider, sizeBytes! / Math.max(1, transferMs)]],
    ),
    boots: byProvider(instances, (here) => {
      const down = here.filter((one) => one.bootMs === null && failedBoots.includes(one.reason ?? ''));
      const up = here.filter((one) => one.bootMs !== null).length;
      return { up, down: down.length, givenUpMs: measureOf(down.map((one) => one.lifeMs)) };
    }),
    losses: byProvider(
      instances.filter((one) => one.interruptible && one.bootMs !== null),
      (here) => ({
        times: here.filter((one) => one.reason === takenAway).length,
        hours: sum(here.map((one) => Math.max(0, one.lifeMs - one.bootMs!))) / 3_600_000,
      }),
    ),
  };
}

function measure<T>(
  rows: T[],
  samplesOf: (row: T) => [key: string, value: number][],
): Record<string, Measure> {
  const byKey = Map.groupBy(rows.flatMap(samplesOf), ([key]) => key);
  return Object.fromEntries(
    [...byKey].flatMap(([key, samples]) => {
      const found = measureOf(samples.map(([, value]) => value));
      return found ? [[key, found]] : [];
    }),
  );
}

function measureOf(newestFirst: number[]): Measure | null {
  const samples = newestFirst.slice(0, mostSamples).sort((a, b) => a - b);
  if (samples.length === 0) return null;
  return {
    median: quantile(samples, 0.5),
    low: quantile(samples, 0.25),
    high: quantile(samples, 0.75),
    samples: samples.length,
  };
}

function byProvider<T>(rows: EndedInstance[], tell: (here: EndedInstance[]) => T): Record<string, T> {
  return Object.fromEntries(
    [...Map.groupBy(rows, (row) => row.provider)].map(([name, here]) => [
      name,
      tell(here.slice(0, mostSamples)),
    ]),
  );
}

/** Between neighbours in proportion. */
function quantile(sorted: number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)]!;
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
