import { describe, expect, it } from 'vitest';
import { joinLoudness } from '../../functions/core/results/loudness.ts';
import type { LoudnessRow } from '../../functions/core/results/rows.ts';

function row(startMs: number, momentaryLufs: (number | null)[], peaks?: number[], stepMs = 100): LoudnessRow {
  const endMs = startMs + stepMs * momentaryLufs.length;
  const levels = peaks ?? momentaryLufs.map(() => 0.5);
  return { kind: 'loudness', startMs, endMs, stepMs, momentaryLufs, peaks: levels };
}

const steps = (count: number, lufs: number | null) => new Array<number | null>(count).fill(lufs);
const integrated = (...rows: LoudnessRow[]) => joinLoudness(rows)!.integratedLufs;

describe('of the whole', () => {
  it('is the mean of powers, not of levels', () => {
    // Half the time a tenth of the power: 10 log10((1 + 0.1) / 2), and above the gate.
    expect(integrated(row(0, [...steps(50, -20), ...steps(50, -29)]))).toBe(-22.5);
    expect(integrated(row(0, steps(10, -23.04)))).toBe(-23);
  });

  it('leaves out what lies more than 10 LU below the mean (EBU Tech 3341, case 3)', () => {
    expect(integrated(row(0, [...steps(100, -36), ...steps(600, -23), ...steps(100, -36)]))).toBe(-23);
    // Just above the gate, which lies 10 below the mean of all: it counts.
    expect(integrated(row(0, [...steps(100, -20), ...steps(100, -32.5)]))).toBe(-22.8);
    expect(integrated(row(0, [...steps(100, -20), ...steps(100, -33)]))).toBe(-20);
  });

  it('leaves out what is silent, however long', () => {
    expect(integrated(row(0, [...steps(1000, null), ...steps(4, -18)]))).toBe(-18);
    expect(integrated(row(0, steps(100, null)))).toBeNull();
  });

  it('is the same in whatever parts, in whatever order', () => {
    const whole = [...steps(70, -30), ...steps(55, -18), ...steps(31, null), ...steps(44, -25)];
    const parts = [row(13_000, whole.slice(130)), row(0, whole.slice(0, 130))];
    expect(joinLoudness(parts)).toEqual(joinLoudness([row(0, whole)]));
  });
});

describe('the line', () => {
  it('is where the sound is', () => {
    expect(joinLoudness([row(300, [-20, -21], [0.3, 0.4]), row(800, [-22], [0.1])])).toEqual({
      integratedLufs: -20.9,
      stepMs: 100,
      momentaryLufs: [null, null, null, -20, -21, null, null, null, -22],
      peaks: [0, 0, 0, 0.3, 0.4, 0, 0, 0, 0.1],
    });
  });

  it('has a last step that is shorter', () => {
    const last = { ...row(0, [-20, -20, null]), endMs: 220 };
    expect(joinLoudness([last])!.peaks).toHaveLength(3);
  });

  it('of a long medium has the highest of each of a few thousand steps', () => {
    const hour = Array.from({ length: 36_000 }, (_, i) => (i % 9 === 4 ? -15 : -30));
    const peaks = hour.map((_, i) => (i % 9 === 7 ? 0.9 : 0.1));
    const rows = [
      row(0, hour.slice(0, 18_000), peaks.slice(0, 18_000)),
      row(1_800_000, hour.slice(18_000), peaks.slice(18_000)),
    ];
    const joined = joinLoudness(rows)!;
    expect(joined).toMatchObject({ stepMs: 900, integratedLufs: -23.6 });
    expect(joined.momentaryLufs).toEqual(new Array(4000).fill(-15));
    expect(joined.peaks).toEqual(new Array(4000).fill(0.9));
  });

  it('is none where nothing was measured', () => {
    expect(joinLoudness([])).toBeNull();
    expect(joinLoudness([row(0, [])])).toBeNull();
  });

  it('of a stranger who tells of impossible times is still short', () => {
    const far = row(2 ** 31 - 1, [-20], [1], 1);
    expect(joinLoudness([row(0, [-20]), far])!.peaks.length).toBeLessThanOrEqual(4001);
    const fine = row(0, steps(20_000, -20), undefined, 1);
    expect(joinLoudness([fine, far])!.momentaryLufs.length).toBeLessThanOrEqual(4001);
    const coarse = row(0, [-20, -21], [1, 1], 2 ** 31);
    expect(joinLoudness([fine, coarse])!.momentaryLufs.length).toBeLessThanOrEqual(4001);
  });
});
