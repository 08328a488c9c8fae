/** Money: integer micro-dollars everywhere, dollars only where people read them. */

/** Micro-dollars for some time at an hourly price, rounded up. */
export function price(microdollarsPerHour: number, durationMs: number): number {
  return Math.ceil((microdollarsPerHour * durationMs) / 3_600_000);
}

/** `$0.0312`. */
export function dollars(microdollars: number): string {
  return `$${(microdollars / 1e6).toFixed(4)}`;
}

/** `$0.390 an hour`. */
export function hourly(microdollarsPerHour: number): string {
  return `$${(microdollarsPerHour / 1e6).toFixed(3)} an hour`;
}
