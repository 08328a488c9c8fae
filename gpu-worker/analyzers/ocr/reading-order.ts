/** How a person reads boxes of text: down the picture, and from left to right on one height. */
import { distance, type Quad } from './geometry.ts';
import type { Reading } from './recognizer.ts';

export interface Line extends Reading {
  /** Corners clockwise from the top left. */
  quad: Quad;
}

/** A copy in reading order. Boxes stand side by side where their middles differ by less than half a line. */
export function inReadingOrder(lines: readonly Line[]): Line[] {
  const rows: Line[][] = [];
  for (const line of [...lines].sort((a, b) => middle(a.quad) - middle(b.quad))) {
    const row = rows.at(-1);
    if (row && areLevel(row[0]!.quad, line.quad)) row.push(line);
    else rows.push([line]);
  }
  return rows.flatMap((row) => row.sort((a, b) => a.quad[0][0] - b.quad[0][0]));
}

/** A word space is about 0.3 of a line high; columns stand farther apart than a whole line. */
const WORD_SPACE = 0.7;
const SAME_HEIGHT = 1.4;

/** Puts the words of one line together that the detector took apart, as it does with large print. */
export function joinNeighbours(lines: readonly Line[]): Line[] {
  const joined: Line[] = [];
  for (const line of lines) {
    const left = joined.at(-1);
    if (left && isNextWord(left.quad, line.quad)) joined[joined.length - 1] = join(left, line);
    else joined.push(line);
  }
  return joined;
}

function isNextWord(left: Quad, right: Quad): boolean {
  const [h, k] = [height(left), height(right)];
  const gap = distance(between(left[1], left[2]), between(right[0], right[3]));
  const isAhead = right[0][0] > left[0][0];
  const runAcross = [left, right].every((quad) => distance(quad[0], quad[1]) > height(quad) / 2);
  return (
    isAhead &&
    runAcross &&
    areLevel(left, right) &&
    gap < WORD_SPACE * Math.max(h, k) &&
    Math.max(h, k) < SAME_HEIGHT * Math.min(h, k)
  );
}

function join(left: Line, right: Line): Line {
  const [m, n] = [left.text.length, right.text.length];
  return {
    text: `${left.text} ${right.text}`,
    confidence: (left.confidence * m + right.confidence * n) / (m + n),
    quad: [left.quad[0], right.quad[1], right.quad[2], left.quad[3]],
  };
}

const areLevel = (a: Quad, b: Quad) => Math.abs(middle(a) - middle(b)) < Math.min(height(a), height(b)) / 2;
const middle = ([a, b, c, d]: Quad) => (a[1] + b[1] + c[1] + d[1]) / 4;
const height = ([a, b, c, d]: Quad) => (distance(a, d) + distance(b, c)) / 2;
const between = (a: readonly [number, number], b: readonly [number, number]) =>
  [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] as const;
