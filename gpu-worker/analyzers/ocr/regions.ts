/**
 * From the detector's probability map to boxes around lines of text: the second half of
 * "Real-time Scene Text Detection with Differentiable Binarization" (Liao et al., 2020,
 * https://arxiv.org/abs/1911.08947), with the settings PaddleOCR ships for PP-OCRv4, which suit v6 too.
 *
 * The net is trained on shrunken text areas, so what it marks is grown back afterwards. The
 * reference grows the polygon with Clipper and boxes the result; growing a rectangle by the
 * same distance gives the same box without a polygon library.
 */
import { contains, corners, grown, type Quad, smallestRectangle, type XY } from './geometry.ts';

const PIXEL_THRESHOLD = 0.3;
const BOX_THRESHOLD = 0.6;
const UNCLIP_RATIO = 1.5;
const LEAST_SIDE = 3;
/** A dense page has some 100 lines. Keeps a hostile picture from taking for ever. */
const MOST_REGIONS = 500;

export interface ProbabilityMap {
  width: number;
  height: number;
  data: Float32Array;
}

export interface Region {
  quad: Quad;
  /** Mean probability inside the marked area, 0..1. */
  score: number;
}

/** Boxes around text in the pixels of the map, in no particular order. */
export function findRegions(map: ProbabilityMap): Region[] {
  const regions: Region[] = [];
  for (const outline of outlines(map)) {
    const marked = smallestRectangle(outline);
    const [length, breadth] = [marked.halfLength * 2, marked.halfBreadth * 2];
    if (Math.min(length, breadth) < LEAST_SIDE) continue;
    const score = meanInside(map, corners(marked));
    if (score < BOX_THRESHOLD) continue;
    const by = (length * breadth * UNCLIP_RATIO) / (2 * (length + breadth));
    regions.push({ quad: corners(grown(marked, by)), score });
    if (regions.length === MOST_REGIONS) break;
  }
  return regions;
}

/** For each connected area above the threshold (8 neighbours), the outermost pixels of each of its rows. */
function* outlines({ width, height, data }: ProbabilityMap): Generator<XY[]> {
  const seen = new Uint8Array(width * height);
  const stack: number[] = [];
  for (let start = 0; start < data.length; start++) {
    if (seen[start] || data[start]! <= PIXEL_THRESHOLD) continue;
    const ends = new Map<number, [number, number]>();
    seen[start] = 1;
    stack.push(start);
    for (let pixel = stack.pop(); pixel !== undefined; pixel = stack.pop()) {
      const x = pixel % width;
      const y = (pixel - x) / width;
      widen(ends, x, y);
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (seen[next] || data[next]! <= PIXEL_THRESHOLD) continue;
          seen[next] = 1;
          stack.push(next);
        }
      }
    }
    yield [...ends].flatMap(([y, [x0, x1]]): XY[] => [
      [x0, y],
      [x1, y],
    ]);
  }
}

function widen(ends: Map<number, [number, number]>, x: number, y: number): void {
  const row = ends.get(y);
  if (!row) ends.set(y, [x, x]);
  else if (x < row[0]) row[0] = x;
  else if (x > row[1]) row[1] = x;
}

function meanInside({ width, height, data }: ProbabilityMap, quad: Quad): number {
  const xs = quad.map(([x]) => x);
  const ys = quad.map(([, y]) => y);
  let sum = 0;
  let count = 0;
  for (let y = Math.max(0, Math.floor(Math.min(...ys))); y <= Math.min(height - 1, Math.max(...ys)); y++) {
    for (let x = Math.max(0, Math.floor(Math.min(...xs))); x <= Math.min(width - 1, Math.max(...xs)); x++) {
      if (!contains(quad, [x, y])) continue;
      sum += data[y * width + x]!;
      count++;
    }
  }
  return count === 0 ? 0 : sum / count;
}
