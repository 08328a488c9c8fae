/** Rectangles at any angle: around points, grown, and put in order. Pixels, y downwards. */

export type XY = readonly [number, number];
/** Corners clockwise from the top left, as a person reading the text sees it. */
export type Quad = readonly [XY, XY, XY, XY];

/** A rectangle by its centre, its two half extents, and the direction of the first one in radians. */
export interface Rectangle {
  x: number;
  y: number;
  halfLength: number;
  halfBreadth: number;
  angle: number;
}

/** Convex hull, counter-clockwise in mathematical orientation (Andrew's monotone chain). */
export function convexHull(points: readonly XY[]): XY[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  if (sorted.length < 3) return sorted;
  const half = (along: readonly XY[]) => {
    const chain: XY[] = [];
    for (const p of along) {
      while (chain.length >= 2 && cross(chain.at(-2)!, chain.at(-1)!, p) <= 0) chain.pop();
      chain.push(p);
    }
    return chain.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}

/** The smallest rectangle around points. One of its sides lies on an edge of the hull. */
export function smallestRectangle(points: readonly XY[]): Rectangle {
  const hull = convexHull(points);
  let best: Rectangle | null = null;
  let leastArea = Infinity;
  for (const [i, from] of hull.entries()) {
    const to = hull[(i + 1) % hull.length]!;
    const candidate = rectangleAlong(hull, Math.atan2(to[1] - from[1], to[0] - from[0]));
    const area = candidate.halfLength * candidate.halfBreadth;
    if (area < leastArea) {
      leastArea = area;
      best = candidate;
    }
  }
  return best ?? rectangleAlong(hull, 0);
}

function rectangleAlong(points: readonly XY[], angle: number): Rectangle {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const along = points.map(([x, y]) => x * cos + y * sin);
  const across = points.map(([x, y]) => y * cos - x * sin);
  const [a0, a1] = [Math.min(...along), Math.max(...along)];
  const [b0, b1] = [Math.min(...across), Math.max(...across)];
  const [a, b] = [(a0 + a1) / 2, (b0 + b1) / 2];
  return {
    x: a * cos - b * sin,
    y: a * sin + b * cos,
    halfLength: (a1 - a0) / 2,
    halfBreadth: (b1 - b0) / 2,
    angle,
  };
}

/** The rectangle grown by so many pixels on all four sides. */
export const grown = (rectangle: Rectangle, by: number): Rectangle => ({
  ...rectangle,
  halfLength: rectangle.halfLength + by,
  halfBreadth: rectangle.halfBreadth + by,
});

/** Its corners, the first being the one a reader calls top left: text leans at most 45 degrees to its side. */
export function corners(rectangle: Rectangle): Quad {
  const { x, y, halfLength, halfBreadth, angle } = rectangle;
  const quarterTurns = Math.round(angle / (Math.PI / 2));
  const upright = angle - quarterTurns * (Math.PI / 2);
  const [w, h] = quarterTurns % 2 === 0 ? [halfLength, halfBreadth] : [halfBreadth, halfLength];
  const [cos, sin] = [Math.cos(upright), Math.sin(upright)];
  const at = (a: number, b: number): XY => [x + a * cos - b * sin, y + a * sin + b * cos];
  return [at(-w, -h), at(w, -h), at(w, h), at(-w, h)];
}

export const distance = (a: XY, b: XY) => Math.hypot(b[0] - a[0], b[1] - a[1]);

/** Whether a point lies in a convex quad whose corners go clockwise on the screen, its edge included. */
export function contains(quad: Quad, point: XY): boolean {
  return quad.every((corner, i) => cross(corner, quad[(i + 1) % 4]!, point) >= -1e-6);
}

function cross(o: XY, a: XY, b: XY): number {
  return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0]);
}
