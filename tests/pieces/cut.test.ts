import fc from 'fast-check';
import { expect, it } from 'vitest';
import { cut, overlapMs } from '../../functions/core/jobs/split.ts';

const minuteMs = 60_000;

it('cuts into as few equal stretches as the policy wants', () => {
  const halfHours = { longestMs: 30 * minuteMs, mostPieces: 4 };
  expect(cut(90 * minuteMs, halfHours)).toEqual([
    { fromMs: 0, toMs: 30 * minuteMs },
    { fromMs: 30 * minuteMs, toMs: 60 * minuteMs },
    { fromMs: 60 * minuteMs, toMs: 90 * minuteMs },
  ]);
  expect(cut(29 * minuteMs, halfHours)).toHaveLength(1);
  expect(cut(600 * minuteMs, halfHours)).toHaveLength(4);
  expect(cut(600 * minuteMs, { ...halfHours, mostPieces: 1 })).toHaveLength(1);
});

it('whatever is cut: the stretches follow each other from the beginning to the end, none too short', () => {
  const positive = fc.integer({ min: 1, max: 100_000_000 });
  fc.assert(
    fc.property(positive, positive, fc.integer({ min: 1, max: 50 }), (durationMs, longestMs, mostPieces) => {
      const stretches = cut(durationMs, { longestMs, mostPieces });
      expect(stretches.length).toBeLessThanOrEqual(mostPieces);
      expect(stretches[0]!.fromMs).toBe(0);
      expect(stretches.at(-1)!.toMs).toBe(durationMs);
      for (const [index, { fromMs, toMs }] of stretches.entries()) {
        expect(fromMs).toBe(stretches[index - 1]?.toMs ?? 0);
        if (stretches.length > 1) expect(toMs - fromMs).toBeGreaterThanOrEqual(2 * overlapMs - 1);
      }
    }),
  );
});
