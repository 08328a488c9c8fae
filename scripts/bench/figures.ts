/** Figures: printed one a line, for people and programs. */

export function figure(name: string, value: number): void {
  console.log(`figure ${name} ${Number.isInteger(value) ? value : Number(value.toPrecision(4))}`);
}

/** @param share 0..1; the value that this share of all is not above. */
export function percentile(values: number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}
