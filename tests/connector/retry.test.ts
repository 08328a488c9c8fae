import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffMs, decide, defaultRetryPolicy, parseRetryAfter } from '../../infra/connector/retry.ts';

const fresh = { tries: 1, failingForMs: 0 };

describe('what follows an invocation', () => {
  it.each([200, 201, 202, 204])('acknowledges after %d', (status) => {
    expect(decide({ kind: 'answered', status }, fresh, defaultRetryPolicy, 0.5)).toEqual({
      kind: 'acknowledge',
    });
  });

  it.each([400, 405, 410, 413, 415, 422])('parks at once after %d', (status) => {
    expect(decide({ kind: 'answered', status }, fresh, defaultRetryPolicy, 0.5).kind).toBe('park');
  });

  it.each([301, 401, 404, 408, 409, 429, 500, 502, 503])('tries again after %d, up to a limit', (status) => {
    const outcome = { kind: 'answered', status } as const;
    expect(decide(outcome, fresh, defaultRetryPolicy, 0.5).kind).toBe('retry');
    const old = { tries: 9, failingForMs: defaultRetryPolicy.giveUpAfterMs };
    expect(decide(outcome, old, defaultRetryPolicy, 0.5).kind).toBe('park');
  });

  it('never gives up while the gateway is away, and looks often', () => {
    const decision = decide(
      { kind: 'unreachable', reason: 'ECONNREFUSED' },
      { tries: 1_000_000, failingForMs: Number.MAX_SAFE_INTEGER },
      defaultRetryPolicy,
      0.999,
    );
    expect(decision).toMatchObject({ kind: 'retry' });
    expect(decision.kind === 'retry' && decision.delayMs <= 5_000).toBe(true);
  });

  it('waits at least as long as Retry-After says, within reason', () => {
    const decisionAfter = (retryAfterMs: number) =>
      decide({ kind: 'answered', status: 503, retryAfterMs }, fresh, defaultRetryPolicy, 0);
    expect(decisionAfter(20_000)).toMatchObject({ delayMs: 20_000 });
    expect(decisionAfter(86_400_000)).toMatchObject({ delayMs: 300_000 });
  });

  it('backs off within its bounds for any number of tries', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100_000 }),
        fc.double({ min: 0, max: 0.999999, noNaN: true }),
        (n, r) => {
          const delayMs = backoffMs(n, 200, 30_000, r);
          return delayMs >= 100 && delayMs <= 30_000;
        },
      ),
    );
    expect([1, 2, 3].map((n) => backoffMs(n, 200, 30_000, 0))).toEqual([100, 200, 400]);
  });

  it('reads Retry-After in both forms', () => {
    const nowMs = Date.parse('2026-01-01T00:00:00Z');
    expect(parseRetryAfter('7', nowMs)).toBe(7_000);
    expect(parseRetryAfter('Thu, 01 Jan 2026 00:00:09 GMT', nowMs)).toBe(9_000);
    expect(parseRetryAfter('Wed, 31 Dec 2025 00:00:00 GMT', nowMs)).toBe(0);
    expect(parseRetryAfter('soon', nowMs)).toBeUndefined();
    expect(parseRetryAfter(undefined, nowMs)).toBeUndefined();
  });
});
