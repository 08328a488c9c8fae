/** The order in which a person reads lines of text: down the picture, and from left to right on one height. */
import type { Quad } from './geometry.ts';

interface Placed {
  quad: Quad;
}

/** A copy in reading order. Lines stand side by side where their middles differ by less than half a line. */
export function inReadingOrder<T extends Placed>(lines: readonly T[]): T[] {
  const rows: { middle: number; halfHeight: number; lines: T[] }[] = [];
  for (const line of [...lines].sort((a, b) => middle(a.quad) - middle(b.quad))) {
    const row = rows.at(-1);
    const halfHeight = height(line.quad) / 2;
    if (row && middle(line.quad) - row.middle < Math.min(halfHeight, row.halfHeight)) row.lines.push(line);
    else rows.push({ middle: middle(line.quad), halfHeight, lines: [line] });
  }
  return rows.flatMap((row) => row.lines.sort((a, b) => a.quad[0][0] - b.quad[0][0]));
}

const middle = ([a, b, c, d]: Quad) => (a[1] + b[1] + c[1] + d[1]) / 4;
const height = ([a, b, c, d]: Quad) => (c[1] + d[1] - a[1] - b[1]) / 2;
