/** Money and time as the planner writes them in its reasons. */

export function dollars(microdollars: number): string {
  return `$${(microdollars / 1e6).toFixed(4)}`;
}

export function hourly(microdollarsPerHour: number): string {
  return `$${(microdollarsPerHour / 1e6).toFixed(3)} an hour`;
}

export function duration(ms: number): string {
  return ms < 120_000 ? `${(ms / 1000).toFixed(1)} s` : `${(ms / 60_000).toFixed(1)} min`;
}
