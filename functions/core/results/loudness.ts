/** How loud a medium is, from the steps that its worker measured. Pure. */
import type { LoudnessRow } from './rows.ts';
import type { ResultDocument } from './schema.ts';

/** A line as wide as any screen; more is not kept in the document. */
const mostSteps = 4000;

/** ITU-R BS.1770-5: what is so much quieter than the rest is not counted. */
const relativeGateLu = 10;

/**
 * @param rows in any order. Times are a stranger's machine's: they bound nothing that is allocated here.
 * @returns null where nothing was measured.
 */
export function joinLoudness(rows: readonly LoudnessRow[]): ResultDocument['loudness'] {
  const endOf = (row: LoudnessRow) => row.startMs + row.stepMs * row.peaks.length;
  const measured = rows.filter((row) => row.peaks.length > 0);
  const [first] = measured;
  if (!first) return null;
  const endMs = measured.reduce((latest, row) => Math.max(latest, endOf(row)), 0);
  const stepMs = first.stepMs * Math.ceil(endMs / first.stepMs / mostSteps);
  const count = Math.ceil(endMs / stepMs);
  const momentaryLufs = new Array<number | null>(count).fill(null);
  const peaks = new Array<number>(count).fill(0);
  const audible: number[] = [];
  for (const row of measured) {
    for (const [index, peak] of row.peaks.entries()) {
      const at = Math.floor((row.startMs + index * row.stepMs) / stepMs);
      peaks[at] = Math.max(peaks[at]!, peak);
      const lufs = row.momentaryLufs[index] ?? null;
      if (lufs === null) continue;
      audible.push(lufs);
      momentaryLufs[at] = Math.max(momentaryLufs[at] ?? lufs, lufs);
    }
  }
  return { integratedLufs: integrated(audible), stepMs, momentaryLufs, peaks };
}

/**
 * The mean of the blocks of 400 ms, 100 ms apart, that lie above the absolute gate, as all of these do,
 * and above the relative one.
 */
function integrated(audible: readonly number[]): number | null {
  if (audible.length === 0) return null;
  const gate = meanLoudness(audible) - relativeGateLu;
  return Math.round(meanLoudness(audible.filter((lufs) => lufs > gate)) * 10) / 10;
}

/** Of powers, not of levels. */
function meanLoudness(lufs: readonly number[]): number {
  return 10 * Math.log10(lufs.reduce((sum, one) => sum + 10 ** (one / 10), 0) / lufs.length);
}
