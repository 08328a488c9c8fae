import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BilledAttempt, type BilledInstance, bill, divide } from '../../functions/core/ledger/bill.ts';
import { price } from '../../functions/core/money.ts';

const second = 1000;

/** Booted at 60 s, ready at 90 s, told to end at 400 s, gone at 410 s; a micro-dollar a millisecond. */
const instance: BilledInstance = {
  billedFromMs: 0,
  billedUntilMs: 410 * second,
  startedAtMs: 60 * second,
  readyAtMs: 90 * second,
  terminatingAtMs: 400 * second,
  priceMicrodollarsPerHour: 3_600_000,
  trafficMicrodollarsPerGb: 0,
  rentedFor: 'a',
};

const attempt = (
  jobId: string,
  from: number,
  to: number | null,
  more: Partial<BilledAttempt> = {},
): BilledAttempt => ({
  jobId,
  startedAtMs: from * second,
  endedAtMs: to === null ? null : to * second,
  transferMs: 0,
  trafficBytes: 0,
  ...more,
});

const told = (charges: ReturnType<typeof bill>) =>
  Object.fromEntries(
    charges.map(({ jobId, phase, durationMs }) => [`${jobId} ${phase}`, durationMs / second]),
  );
const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);

describe('the bill of an instance', () => {
  it('tells one job’s phases from the request until it is gone', () => {
    const charges = bill(instance, [attempt('a', 100, 395, { transferMs: 20 * second })]);
    expect(told(charges)).toEqual({
      'a boot': 60,
      'a load': 30,
      'a transfer': 20,
      'a work': 275,
      'a idle': 10,
      'a drain': 15,
    });
    expect(sum(charges.map(({ microdollars }) => microdollars))).toBe(410_000);
  });

  it('shares boot, load, idling and drain by the time that each job held the machine', () => {
    const charges = bill(instance, [attempt('b', 200, 300), attempt('a', 90, 190), attempt('a', 300, 400)]);
    expect(told(charges)).toEqual({
      ...{ 'a boot': 40, 'a load': 20, 'a work': 200, 'a idle': 6.667, 'a drain': 6.667 },
      ...{ 'b boot': 20, 'b load': 10, 'b work': 100, 'b idle': 3.333, 'b drain': 3.333 },
    });
  });

  it('charges a machine that never began a job to the one that it was rented for', () => {
    const never = { ...instance, startedAtMs: null, readyAtMs: null };
    expect(told(bill(never, []))).toEqual({ 'a boot': 400, 'a drain': 10 });
    expect(told(bill(instance, []))).toEqual({ 'a boot': 60, 'a load': 30, 'a idle': 310, 'a drain': 10 });
    expect(bill({ ...never, rentedFor: null }, [])[0]!.jobId).toBeNull();
  });

  it('lets an attempt that nobody ended last as long as the machine', () => {
    expect(told(bill(instance, [attempt('a', 90, null)]))).toEqual({
      'a boot': 60,
      'a load': 30,
      'a work': 320,
    });
  });

  it('charges traffic to whoever caused it, beside the time', () => {
    const costly = { ...instance, trafficMicrodollarsPerGb: 20_000 };
    const charges = bill(costly, [
      attempt('a', 90, 190, { trafficBytes: 2.5e9 }),
      attempt('b', 190, 290, { trafficBytes: 1 }),
    ]);
    expect(charges.filter(({ phase }) => phase === 'traffic')).toEqual([
      { jobId: 'a', phase: 'traffic', durationMs: 0, microdollars: 50_000 },
      { jobId: 'b', phase: 'traffic', durationMs: 0, microdollars: 1 },
    ]);
  });

  const time = fc.integer({ min: -5000, max: 10_000_000 });
  const maybe = fc.option(time);
  const anyAttempt = fc.record<BilledAttempt>({
    jobId: fc.constantFrom('a', 'b', 'c'),
    startedAtMs: time,
    endedAtMs: maybe,
    transferMs: fc.integer({ min: 0, max: 1_000_000 }),
    trafficBytes: fc.integer({ min: 0, max: 100_000_000_000 }),
  });
  const anyInstance = fc.record<BilledInstance>({
    billedFromMs: fc.integer({ min: 0, max: 1000 }),
    billedUntilMs: fc.integer({ min: 0, max: 9_000_000 }),
    startedAtMs: maybe,
    readyAtMs: maybe,
    terminatingAtMs: maybe,
    priceMicrodollarsPerHour: fc.integer({ min: 0, max: 5_000_000 }),
    trafficMicrodollarsPerGb: fc.constantFrom(0, 13_000),
    rentedFor: fc.constantFrom('a', 'd', null),
  });

  it('is exact, never negative and the same in whatever order attempts are read', () => {
    fc.assert(
      fc.property(anyInstance, fc.array(anyAttempt, { maxLength: 6 }), (one, attempts) => {
        const charges = bill(one, attempts);
        const timed = charges.filter(({ phase }) => phase !== 'traffic');
        const billedMs = Math.max(0, one.billedUntilMs - one.billedFromMs);
        expect(sum(timed.map(({ durationMs }) => durationMs))).toBe(billedMs);
        expect(sum(timed.map(({ microdollars }) => microdollars))).toBe(
          price(one.priceMicrodollarsPerHour, billedMs),
        );
        for (const { durationMs, microdollars } of charges) {
          expect(Number.isInteger(durationMs) && Number.isInteger(microdollars)).toBe(true);
          expect(Math.min(durationMs, microdollars)).toBeGreaterThanOrEqual(0);
        }
        const keys = charges.map(({ jobId, phase }) => `${jobId} ${phase}`);
        expect(new Set(keys).size).toBe(keys.length);
        const distinct = new Set(attempts.map(({ jobId, startedAtMs }) => `${jobId} ${startedAtMs}`));
        if (distinct.size === attempts.length) expect(bill(one, attempts.toReversed())).toEqual(charges);
      }),
    );
  });

  it('divides money so that nothing is lost and nobody is off by more than one', () => {
    fc.assert(
      fc.property(
        fc.nat(2_000_000_000),
        fc.array(fc.nat(100_000_000), { minLength: 1 }),
        (total, weights) => {
          const parts = divide(total, weights);
          expect(sum(parts)).toBe(total);
          const whole = sum(weights);
          if (whole > 0)
            for (const [index, part] of parts.entries())
              expect(Math.abs(part - (total * weights[index]!) / whole)).toBeLessThan(1.001);
        },
      ),
    );
  });
});
