/** Time as the planner tells it to people. */

/** `93.0 s`, `12.4 min`. */
export function duration(ms: number): string {
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 60_000).toFixed(1)} min`;
}

/** To a tenth. */
export function minutes(ms: number): number {
  return Math.round(ms / 6000) / 10;
}
