/** How calls of an endpoint are spaced. */
import { describe, expect, it } from 'vitest';
import { ProviderError } from '../../functions/core/providers/provider.ts';
import { openRateLimit } from '../../functions/core/providers/rate-limit.ts';
import { manualClock } from './simulator/clock.ts';

function stand() {
  const market = manualClock(0);
  const sleep = (ms: number) => new Promise<void>((done) => market.after(ms, done));
  const limit = openRateLimit({ read: 1900, end: 900 }, { nowMs: market.nowMs, sleep });
  const made: string[] = [];
  const call = (endpoint: 'read' | 'end', what: string) =>
    limit(endpoint, async () => {
      made.push(`${what} at ${market.nowMs()}`);
      return what;
    });
  const advance = async (ms: number) => {
    market.advance(ms);
    for (let turn = 0; turn < 10; turn++) await null;
  };
  return { call, made, advance, limit };
}

describe('rate limit', () => {
  it('makes a first call at once and the next ones in order, each after the interval', async () => {
    const { call, made, advance } = stand();
    const calls = ['a', 'b', 'c'].map((what) => call('read', what));
    for (let second = 0; second < 5; second++) await advance(1000);
    expect(await Promise.all(calls)).toEqual(['a', 'b', 'c']);
    expect(made).toEqual(['a at 0', 'b at 2000', 'c at 4000']);
  });

  it('lets no end wait behind reads', async () => {
    const { call, made, advance } = stand();
    for (const what of ['a', 'b', 'c']) void call('read', what);
    await call('end', 'end');
    expect(made).toEqual(['a at 0', 'end at 0']);
    await advance(10_000);
  });

  it('goes on after a call that failed, and while one hangs', async () => {
    const { limit, call, made, advance } = stand();
    void limit('end', () => new Promise(() => {}));
    const failing = limit('end', async () => {
      throw new Error('no answer');
    });
    void failing.catch(() => made.push('failed'));
    void call('end', 'next');
    await advance(1000);
    await advance(1000);
    expect(made).toEqual(['failed', 'next at 2000']);
  });

  it('sends away, unmade, who would wait too long', async () => {
    const { call, made, advance } = stand();
    const calls = Array.from({ length: 20 }, (_, n) => call('read', `${n}`).catch((error: unknown) => error));
    for (let second = 0; second < 60; second++) await advance(1000);
    const outcomes = await Promise.all(calls);
    // The first at once, then one each 2 s for 30 s.
    expect(made).toHaveLength(16);
    expect(
      outcomes.slice(16).every((one) => one instanceof ProviderError && one.reason === 'rate_limited'),
    ).toBe(true);
  });
});
