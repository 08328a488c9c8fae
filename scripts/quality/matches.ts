/** Precision, recall and their harmonic mean, F1, of things that were found against those that are there. */

export interface Counts {
  /** Found, and there. */
  right: number;
  found: number;
  there: number;
}

export const addCounts = (a: Counts, b: Counts): Counts => ({
  right: a.right + b.right,
  found: a.found + b.found,
  there: a.there + b.there,
});

/** 0..1; 1 where there was nothing and nothing was found. */
export function f1({ right, found, there }: Counts): number {
  return found + there === 0 ? 1 : (2 * right) / (found + there);
}

/** Pairs moments with those that are there, each with at most one, the nearest first, within `toleranceMs`. */
export function matchMoments(
  foundMs: readonly number[],
  thereMs: readonly number[],
  toleranceMs: number,
): Counts {
  const pairs = foundMs
    .flatMap((found, i) => thereMs.map((there, j) => ({ i, j, apartMs: Math.abs(found - there) })))
    .filter(({ apartMs }) => apartMs <= toleranceMs)
    .sort((a, b) => a.apartMs - b.apartMs);
  const [taken, matched] = [new Set<number>(), new Set<number>()];
  for (const { i, j } of pairs) {
    if (taken.has(i) || matched.has(j)) continue;
    taken.add(i);
    matched.add(j);
  }
  return { right: taken.size, found: foundMs.length, there: thereMs.length };
}

/**
 * Pairwise comparison of a grouping with the truth: of all pairs of things, which are in one group?
 * A pair that both put together is right.
 *
 * @param things the group each was put into, null where into none (it is then alone), and who it is.
 */
export function pairwise(things: readonly { group: string | null; identity: string }[]): Counts {
  const counts = { right: 0, found: 0, there: 0 };
  for (const [i, a] of things.entries()) {
    for (const b of things.slice(i + 1)) {
      const together = a.group !== null && a.group === b.group;
      const same = a.identity === b.identity;
      if (together) counts.found++;
      if (same) counts.there++;
      if (together && same) counts.right++;
    }
  }
  return counts;
}
