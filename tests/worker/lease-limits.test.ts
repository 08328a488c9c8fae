import { describe, expect, it } from 'vitest';
import { type Limits, readLimits, type Signs, verdict } from '../../gpu-worker/lease/limits.ts';

const limits: Limits = { maxLifetimeMs: 100_000, bootPatienceMs: 30_000, lostContactMs: 10_000 };
const booting: Signs = {
  startedMs: 0,
  contactMs: null,
  isReady: false,
  deadlineMs: Number.POSITIVE_INFINITY,
  asked: null,
};
const ready: Signs = { ...booting, contactMs: 50_000, isReady: true };

describe('a worker may live', () => {
  it('until its lease ends, as the server told it last', () => {
    const signs = { ...ready, deadlineMs: 55_000 };
    expect(verdict(signs, limits, 55_000)).toBeNull();
    expect(verdict(signs, limits, 55_001)).toEqual({ act: 'ask', why: 'reached the end of its lease' });
  });

  it('for its longest lifetime, whatever the server says and whether it was ever reached', () => {
    const why = 'reached the end of its lease';
    expect(verdict({ ...ready, contactMs: 99_000, deadlineMs: 500_000 }, limits, 100_001)?.why).toBe(why);
    expect(verdict(booting, { ...limits, maxLifetimeMs: 5000 }, 5001)?.why).toBe(why);
  });

  it('without contact for so long, and before its hello for longer', () => {
    expect(verdict(ready, limits, 60_000)).toBeNull();
    expect(verdict(ready, limits, 60_001)?.why).toBe('lost contact with the server');
    expect(verdict(booting, limits, 30_000)).toBeNull();
    expect(verdict(booting, limits, 30_001)?.why).toBe('could not reach the server');
    expect(verdict({ ...booting, contactMs: 20_000 }, limits, 50_001)?.why).toBe('was not ready in time');
  });

  it('a little after it was asked to end, and is killed then', () => {
    const asked = { atMs: 60_000, why: 'was told to end', graceMs: 1000 };
    expect(verdict({ ...ready, asked }, limits, 61_000)).toBeNull();
    expect(verdict({ ...ready, asked }, limits, 61_001)).toEqual({ act: 'kill', why: 'was told to end' });
  });
});

describe('limits', () => {
  it('come from the environment, in seconds', () => {
    const env = {
      AIMA_MAX_LIFETIME_SECONDS: '600',
      AIMA_BOOT_PATIENCE_SECONDS: '60',
      AIMA_LOST_CONTACT_SECONDS: '1.5',
    };
    expect(readLimits(env)).toEqual({ maxLifetimeMs: 600_000, bootPatienceMs: 60_000, lostContactMs: 1500 });
  });

  it.each([{}, { AIMA_MAX_LIFETIME_SECONDS: 'six hours', AIMA_LOST_CONTACT_SECONDS: '-1' }])(
    'are there even where the environment makes no sense: %j',
    (env) => {
      expect(readLimits(env)).toEqual({
        maxLifetimeMs: 6 * 3600_000,
        bootPatienceMs: 180_000,
        lostContactMs: 45_000,
      });
    },
  );
});
