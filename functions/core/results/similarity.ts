/** How alike two readings and two places of text are, both 0..1. */
import { editDistance } from './edit-distance.ts';
import type { Point } from './rows.ts';

/** Corners of a text. */
type Quad = readonly Readonly<Point>[];

/** One minus the edit distance (Levenshtein) over the longer text's length; spaces and case do not count. */
export function textSimilarity(a: string, b: string): number {
  const [x, y] = [plain(a), plain(b)];
  const longest = Math.max(x.length, y.length);
  return longest === 0 ? 1 : 1 - editDistance(x, y) / longest;
}

/** What a recogniser wavers about between two frames. */
const plain = (text: string) => text.toLowerCase().replace(/\s+/g, '');

/** Intersection over union of the upright rectangles around two quads. */
export function overlap(a: Quad, b: Quad): number {
  const [p, q] = [around(a), around(b)];
  const width = Math.min(p.right, q.right) - Math.max(p.left, q.left);
  const height = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (area(p) + area(q) - shared);
}

function around(quad: Quad) {
  const xs = quad.map(([x]) => x);
  const ys = quad.map(([, y]) => y);
  return {
    left: Math.min(...xs),
    right: Math.max(...xs),
    top: Math.min(...ys),
    bottom: Math.max(...ys),
  };
}

const area = (r: ReturnType<typeof around>) => (r.right - r.left) * (r.bottom - r.top);
