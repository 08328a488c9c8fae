/** Which analyzers share a thread, where there are more of them than threads. */

/**
 * The costliest first, each to the thread that has least to do until then (Graham 1969, "Bounds on
 * multiprocessing timing anomalies": at most a third longer than the best there is). The same
 * analyzers come to the same threads each time, and find their models open there.
 *
 * @returns for each cost, in their order, the number of its thread.
 */
export function shareThreads(costs: readonly number[], threads: number): number[] {
  const load = Array.from({ length: Math.max(1, threads) }, () => 0);
  const shares = costs.map(() => 0);
  const costliestFirst = costs.map((cost, index) => ({ cost, index })).toSorted((a, b) => b.cost - a.cost);
  for (const { cost, index } of costliestFirst) {
    const least = load.indexOf(Math.min(...load));
    shares[index] = least;
    load[least]! += cost;
  }
  return shares;
}
