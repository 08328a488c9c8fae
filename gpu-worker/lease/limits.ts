/**
 * When a worker's life is over whatever it does: pure. Durations only, on a clock that cannot jump.
 *
 * It is asked to end before it is killed, since one that can still hear gives its job back at once
 * and loses nothing; one that hangs hears nothing.
 */

export interface Limits {
  /** From the start of the program: the deadline of the lease as it was when it was rented. */
  maxLifetimeMs: number;
  /** Until its first hello it may be without contact for so long: a server that restarts must not cost a boot. */
  bootPatienceMs: number;
  /** After it: contact is its heartbeat in Postgres. The broker does not count: an outage there ends nobody. */
  lostContactMs: number;
}

/** What is known of the worker. Times in milliseconds on the clock that `verdict` is asked with. */
export interface Signs {
  startedMs: number;
  /** When Postgres last answered it; null: never. */
  contactMs: number | null;
  /** It has said hello. */
  isReady: boolean;
  /** The end of the lease, as the server told it last. */
  deadlineMs: number;
  /** It was asked to end, by us or by a signal. */
  asked: { atMs: number; why: string; graceMs: number } | null;
}

/** To leave takes some tenths of a second where the server hears, and is given up after three where it does not. */
export const leaveGraceMs = 5000;

export type Verdict = { act: 'ask' | 'kill'; why: string };

/** What is to be done with the worker now; null: let it work. */
export function verdict(signs: Signs, limits: Limits, nowMs: number): Verdict | null {
  if (signs.asked) {
    const { atMs, why, graceMs } = signs.asked;
    return nowMs - atMs > graceMs ? { act: 'kill', why } : null;
  }
  const why = whyOver(signs, limits, nowMs);
  return why === null ? null : { act: 'ask', why };
}

function whyOver(signs: Signs, limits: Limits, nowMs: number): string | null {
  const { startedMs, contactMs, isReady, deadlineMs } = signs;
  if (nowMs > Math.min(deadlineMs, startedMs + limits.maxLifetimeMs)) return 'reached the end of its lease';
  const silentMs = nowMs - (contactMs ?? startedMs);
  if (isReady) return silentMs > limits.lostContactMs ? 'lost contact with the server' : null;
  if (silentMs <= limits.bootPatienceMs) return null;
  return contactMs === null ? 'could not reach the server' : 'was not ready in time';
}

/**
 * The limits from the environment. What is missing or makes no sense is replaced: a typing error must
 * not leave a machine without an end.
 */
export function readLimits(env: Readonly<Record<string, string | undefined>>): Limits {
  const milliseconds = (name: string, secondsByDefault: number) => {
    const seconds = Number(env[name]);
    return (seconds > 0 ? seconds : secondsByDefault) * 1000;
  };
  return {
    // Six hours are the longest lease there is by default (AIMA_MAX_LEASE_MINUTES).
    maxLifetimeMs: milliseconds('AIMA_MAX_LIFETIME_SECONDS', 6 * 3600),
    bootPatienceMs: milliseconds('AIMA_BOOT_PATIENCE_SECONDS', 180),
    lostContactMs: milliseconds('AIMA_LOST_CONTACT_SECONDS', 45),
  };
}
