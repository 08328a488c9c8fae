import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { endReasons, judge, type LeaseFacts, type Patience } from '../../functions/core/instances/verdict.ts';

const patience: Patience = {
  createTimeoutMs: 30_000,
  listLagMs: 60_000,
  pullTimeoutMs: 900_000,
  loadTimeoutMs: 300_000,
  lostContactMs: 45_000,
  firstProgressMs: 600_000,
};

const lease = (facts: Partial<LeaseFacts>): LeaseFacts => ({
  state: 'booting',
  ageMs: 1000,
  isOverdue: false,
  sinceStartedMs: null,
  starts: 0,
  silentMs: null,
  withoutProgressMs: null,
  status: null,
  isListed: true,
  ...facts,
});

const reasonOf = (facts: Partial<LeaseFacts>) => {
  const verdict = judge(lease(facts), patience);
  return verdict?.act === 'end' ? verdict.reason : (verdict?.act ?? null);
};

describe('a lease', () => {
  it('is left alone while each phase is within its time', () => {
    expect(reasonOf({ state: 'requested', ageMs: 29_000 })).toBeNull();
    expect(reasonOf({ state: 'in_doubt', ageMs: 89_000 })).toBeNull();
    expect(reasonOf({ ageMs: 899_000 })).toBeNull();
    expect(reasonOf({ ageMs: 2_000_000, sinceStartedMs: 299_000, starts: 1 })).toBeNull();
    expect(reasonOf({ state: 'ready', silentMs: 44_000, withoutProgressMs: 599_000 })).toBeNull();
  });

  it('is told apart by where it is stuck', () => {
    expect(reasonOf({ state: 'requested', ageMs: 31_000 })).toBe('doubt');
    expect(reasonOf({ state: 'in_doubt', ageMs: 91_000 })).toBe('never_appeared');
    expect(reasonOf({ ageMs: 901_000 })).toBe('pull_timeout');
    expect(reasonOf({ ageMs: 901_000, sinceStartedMs: 301_000, starts: 1 })).toBe('load_timeout');
    expect(reasonOf({ sinceStartedMs: 20_000, starts: 3 })).toBe('crash_loop');
    expect(reasonOf({ state: 'ready', silentMs: 46_000 })).toBe('lost_contact');
    expect(reasonOf({ state: 'ready', silentMs: 1000, withoutProgressMs: 601_000 })).toBe('no_progress');
  });

  it('never counts as absent where the provider could not be listed', () => {
    expect(reasonOf({ state: 'in_doubt', ageMs: 10 ** 9, isListed: false })).toBeNull();
  });

  it('is not believed to run because its provider says so', () => {
    expect(reasonOf({ ageMs: 901_000, status: 'running' })).toBe('pull_timeout');
  });

  it('ends when its provider says that it failed to start or was taken away', () => {
    expect(reasonOf({ status: 'failed' })).toBe('start_failed');
    expect(reasonOf({ state: 'ready', status: 'preempted', silentMs: 0 })).toBe('preempted');
  });

  it('counts against its jobs only where nobody chose its end', () => {
    expect(endReasons.preempted.died || endReasons.asked.died || endReasons.unfit.died).toBe(false);
    expect(endReasons.lost_contact.died && endReasons.crash_loop.died).toBe(true);
  });
});

it('a lease that is to end is still to end later, for whatever reason', () => {
  const ms = fc.integer({ min: 0, max: 4_000_000 });
  const facts = fc.record({
    state: fc.constantFrom('in_doubt', 'booting', 'ready' as const),
    ageMs: ms,
    isOverdue: fc.boolean(),
    sinceStartedMs: fc.option(ms),
    starts: fc.integer({ min: 0, max: 5 }),
    silentMs: fc.option(ms),
    withoutProgressMs: fc.option(ms),
    status: fc.option(fc.constantFrom('starting', 'running', 'failed', 'preempted', 'ending' as const)),
    isListed: fc.boolean(),
  });
  fc.assert(
    fc.property(facts, ms, (now, moreMs) => {
      const later = {
        ...now,
        ageMs: now.ageMs + moreMs,
        sinceStartedMs: now.sinceStartedMs === null ? null : now.sinceStartedMs + moreMs,
        silentMs: now.silentMs === null ? null : now.silentMs + moreMs,
        withoutProgressMs: now.withoutProgressMs === null ? null : now.withoutProgressMs + moreMs,
      };
      if (judge(now, patience)?.act === 'end') expect(judge(later, patience)?.act).toBe('end');
    }),
  );
});
