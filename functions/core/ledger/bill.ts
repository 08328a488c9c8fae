/**
 * Splits what one instance cost over jobs and phases, once it is known from when to when it was
 * billed. Pure. Every billed millisecond belongs to one phase, and all charges for time add up to
 * `price × billed time`, rounded up to a micro-dollar:
 *
 * - `boot`: until the worker program began: the machine starts and the image is pulled;
 * - `load`: until it was ready: device test and models;
 * - `transfer`, `work`: while it held a job; transfer as far as the run report tells of it;
 * - `idle`: between jobs, and before the first;
 * - `drain`: from the last job's end until the provider had ended it.
 *
 * Whatever is not work on a job is shared by the jobs in proportion to the time that each held the
 * machine. Where none ever did, all of it is charged to the job that it was rented for. `traffic` is
 * money without time, for the bytes that each job fetched.
 */
import { price } from '../money.ts';

export const phases = ['boot', 'load', 'transfer', 'work', 'idle', 'drain', 'traffic'] as const;
export type Phase = (typeof phases)[number];

/** Times in ms since 1970; null: it never came to that. */
export interface BilledInstance {
  billedFromMs: number;
  billedUntilMs: number;
  startedAtMs: number | null;
  readyAtMs: number | null;
  terminatingAtMs: number | null;
  priceMicrodollarsPerHour: number;
  trafficMicrodollarsPerGb: number;
  rentedFor: string | null;
}

export interface BilledAttempt {
  jobId: string;
  startedAtMs: number;
  /** Null: it ended with the machine. */
  endedAtMs: number | null;
  transferMs: number;
  trafficBytes: number;
}

export interface Charge {
  /** Null where nobody knows for whom it was. */
  jobId: string | null;
  phase: Phase;
  durationMs: number;
  microdollars: number;
}

/** @returns charges by job in order of its first attempt, then by phase; at most one for each pair. */
export function bill(instance: BilledInstance, attempts: readonly BilledAttempt[]): Charge[] {
  const spans = partition(instance, attempts);
  const held = sumBy(
    spans.filter((span) => span.jobId !== null),
    ({ jobId }) => jobId!,
    ({ ms }) => ms,
  );
  const bearers = held.size > 0 ? [...held.keys()] : [instance.rentedFor];
  const weights = held.size > 0 ? [...held.values()] : [1];

  const durations = new Map<string, Omit<Charge, 'microdollars'>>();
  const add = (jobId: string | null, phase: Phase, ms: number) => {
    const key = `${jobId}/${phase}`;
    const entry = durations.get(key) ?? { jobId, phase, durationMs: 0 };
    if (ms > 0) durations.set(key, { ...entry, durationMs: entry.durationMs + ms });
  };
  for (const span of spans.filter((one) => one.jobId !== null)) add(span.jobId, span.phase, span.ms);
  const shared = sumBy(
    spans.filter((span) => span.jobId === null),
    ({ phase }) => phase,
    ({ ms }) => ms,
  );
  for (const [phase, ms] of shared) {
    for (const [index, part] of divide(ms, weights).entries()) add(bearers[index]!, phase, part);
  }

  const order = (charge: { jobId: string | null; phase: Phase }) =>
    bearers.indexOf(charge.jobId) * phases.length + phases.indexOf(charge.phase);
  const timed = [...durations.values()].sort((a, b) => order(a) - order(b));
  const total = price(
    instance.priceMicrodollarsPerHour,
    timed.reduce((sum, { durationMs }) => sum + durationMs, 0),
  );
  const money = divide(
    total,
    timed.map(({ durationMs }) => durationMs),
  );
  const charges = timed.map((entry, index): Charge => ({ ...entry, microdollars: money[index]! }));
  return [...charges, ...trafficOf(instance, attempts)].sort((a, b) => order(a) - order(b));
}

interface Span {
  /** Null: everybody's. */
  jobId: string | null;
  phase: Phase;
  ms: number;
}

/** The billed time from end to end, without gap or overlap. Clocks that ran backwards are straightened. */
function partition(instance: BilledInstance, attempts: readonly BilledAttempt[]): Span[] {
  const { billedFromMs, terminatingAtMs } = instance;
  const untilMs = Math.max(billedFromMs, instance.billedUntilMs);
  const ordered = [...attempts].sort(
    (a, b) => a.startedAtMs - b.startedAtMs || (a.jobId < b.jobId ? -1 : a.jobId > b.jobId ? 1 : 0),
  );
  const spans: Span[] = [];
  let at = billedFromMs;
  const upTo = (endMs: number, phase: Phase, jobId: string | null = null) => {
    const end = Math.min(Math.max(endMs, at), untilMs);
    spans.push({ jobId, phase, ms: end - at });
    at = end;
  };
  // It boots until it says so, unless it is told to end before.
  const startMs = ordered[0]?.startedAtMs ?? terminatingAtMs ?? untilMs;
  const readyAtMs = Math.min(instance.readyAtMs ?? startMs, startMs);
  upTo(Math.min(instance.startedAtMs ?? readyAtMs, readyAtMs), 'boot');
  upTo(readyAtMs, 'load');
  for (const { jobId, startedAtMs, endedAtMs, transferMs } of ordered) {
    upTo(startedAtMs, 'idle');
    const endMs = endedAtMs ?? untilMs;
    upTo(Math.min(at + Math.max(0, transferMs), endMs), 'transfer', jobId);
    upTo(endMs, 'work', jobId);
  }
  if (ordered.length === 0) upTo(startMs, 'idle');
  upTo(untilMs, 'drain');
  return spans;
}

function trafficOf(instance: BilledInstance, attempts: readonly BilledAttempt[]): Charge[] {
  const cost = ({ trafficBytes }: BilledAttempt) =>
    Math.ceil((trafficBytes * instance.trafficMicrodollarsPerGb) / 1e9);
  const byJob = sumBy(attempts, ({ jobId }) => jobId, cost);
  return [...byJob].flatMap(([jobId, microdollars]) =>
    microdollars > 0 ? [{ jobId, phase: 'traffic' as const, durationMs: 0, microdollars }] : [],
  );
}

/**
 * Divides an integer in proportion to weights: largest remainder, and of equal ones the earlier. All
 * parts are integers of at least 0 and add up exactly.
 */
export function divide(total: number, weights: readonly number[]): number[] {
  if (weights.length === 0) return [];
  const whole = weights.reduce((sum, weight) => sum + weight, 0);
  if (whole === 0)
    return divide(
      total,
      weights.map(() => 1),
    );
  const [most, all] = [BigInt(total), BigInt(whole)];
  const exact = weights.map((weight) => most * BigInt(weight));
  const parts = exact.map((product) => Number(product / all));
  const left = total - parts.reduce((sum, part) => sum + part, 0);
  const byRemainder = exact
    .map((product, index) => ({ index, remainder: product % all }))
    .sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder < b.remainder ? 1 : -1));
  for (const { index } of byRemainder.slice(0, left)) parts[index]! += 1;
  return parts;
}

function sumBy<T, K>(items: readonly T[], key: (item: T) => K, value: (item: T) => number): Map<K, number> {
  const sums = new Map<K, number>();
  for (const item of items) sums.set(key(item), (sums.get(key(item)) ?? 0) + value(item));
  return sums;
}
