/**
 * Spaces calls out for providers that refuse those which come too soon after one another. Each
 * endpoint has a line of its own, as its limit is its own at the provider: so an end never waits
 * behind the reads of other machines.
 *
 * Only the starts are spaced. A call that is not answered holds up none behind it: the line is there
 * to keep within the limit, not to keep order.
 *
 * It knows of this process alone; another with the same key may still cause a refusal, which is an
 * answer like any other.
 */
import { setTimeout } from 'node:timers/promises';
import { ProviderError } from './provider.ts';

export interface Clock {
  nowMs(): number;
  sleep(ms: number): Promise<void>;
}

export const realClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms) => setTimeout(ms),
};

/**
 * Makes the call as soon as its endpoint may be asked again.
 * @throws ProviderError `rate_limited` where the line is too long: the call was not made, for certain.
 */
export type RateLimit<Endpoint extends string> = <T>(
  endpoint: Endpoint,
  call: () => Promise<T>,
) => Promise<T>;

/** Requests that leave in time may arrive a little closer together. */
const marginMs = 100;

/** Who would wait longer is sent away: a function has seconds, and the sweep asks again. */
export const longestWaitMs = 30_000;

/** @param intervalsMs the least time between two calls of an endpoint. */
export function openRateLimit<Endpoint extends string>(
  intervalsMs: Record<Endpoint, number>,
  clock: Clock = realClock,
): RateLimit<Endpoint> {
  const freeAtMs = new Map<Endpoint, number>();
  return async (endpoint, call) => {
    const nowMs = clock.nowMs();
    const atMs = Math.max(nowMs, freeAtMs.get(endpoint) ?? 0);
    const retryAfterMs = atMs - nowMs - longestWaitMs;
    if (retryAfterMs > 0)
      throw new ProviderError('rate_limited', `Too many calls wait for ${endpoint} already.`, {
        retryAfterMs,
      });
    freeAtMs.set(endpoint, atMs + intervalsMs[endpoint] + marginMs);
    if (atMs > nowMs) await clock.sleep(atMs - nowMs);
    return call();
  };
}
