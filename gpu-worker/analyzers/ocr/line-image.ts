/** Cuts a line of text out of a picture, upright and at the height that the recogniser reads. */
import type { Frame } from '../analyzer.ts';
import { distance, type Quad, type XY } from './geometry.ts';

export const LINE_HEIGHT = 48;
/** Beyond this a line is squeezed: about 130 characters, and the tensor stays below 2 MB. */
const MOST_WIDTH = 3_200;
/** Taller than this against its width, a box holds text that runs up or down (PaddleOCR's rule). */
const UPRIGHT = 1.5;

/** Blue, green and red planes of `LINE_HEIGHT` rows, values in -1..1. */
export interface LineImage {
  width: number;
  planes: Float32Array;
}

/** The ways in which the text in a box may run, as the box with its corners turned accordingly. */
export function readingDirections(quad: Quad): Quad[] {
  const [a, b, c, d] = quad;
  if (distance(a, d) < UPRIGHT * distance(a, b)) return [quad];
  return [
    [d, a, b, c],
    [b, c, d, a],
  ];
}

/** Samples the quad, along whose first side the text runs; what lies outside the frame repeats its edge. */
export function cutLine(frame: Frame, quad: Quad): LineImage {
  const across = distance(quad[0], quad[1]);
  const down = Math.max(distance(quad[0], quad[3]), 1);
  const width = Math.min(MOST_WIDTH, Math.max(1, Math.round((LINE_HEIGHT * across) / down)));
  const planes = new Float32Array(3 * LINE_HEIGHT * width);
  // Text larger than the line is averaged over all the pixels it covers, else thin strokes drop out.
  const taps = Math.max(1, Math.ceil(down / LINE_HEIGHT));
  const sample = new Float32Array(3);
  for (let row = 0; row < LINE_HEIGHT; row++) {
    for (let column = 0; column < width; column++) {
      sample.fill(0);
      for (let tap = 0; tap < taps * taps; tap++) {
        const u = (column + ((tap % taps) + 0.5) / taps) / width;
        const v = (row + (Math.floor(tap / taps) + 0.5) / taps) / LINE_HEIGHT;
        addPixel(frame, between(quad, u, v), sample);
      }
      for (let plane = 0; plane < 3; plane++) {
        planes[(plane * LINE_HEIGHT + row) * width + column] = sample[2 - plane]! / (taps * taps * 127.5) - 1;
      }
    }
  }
  return { width, planes };
}

function between([a, b, , d]: Quad, u: number, v: number): XY {
  return [a[0] + u * (b[0] - a[0]) + v * (d[0] - a[0]), a[1] + u * (b[1] - a[1]) + v * (d[1] - a[1])];
}

/** Adds the colour at a point, interpolated between the four pixels around it. */
function addPixel({ width, height, data }: Frame, [px, py]: XY, to: Float32Array): void {
  const x = Math.min(Math.max(px - 0.5, 0), width - 1);
  const y = Math.min(Math.max(py - 0.5, 0), height - 1);
  const [x0, y0] = [Math.floor(x), Math.floor(y)];
  const [x1, y1] = [Math.min(x0 + 1, width - 1), Math.min(y0 + 1, height - 1)];
  const [fx, fy] = [x - x0, y - y0];
  for (let channel = 0; channel < 3; channel++) {
    const top =
      data[(y0 * width + x0) * 3 + channel]! * (1 - fx) + data[(y0 * width + x1) * 3 + channel]! * fx;
    const low =
      data[(y1 * width + x0) * 3 + channel]! * (1 - fx) + data[(y1 * width + x1) * 3 + channel]! * fx;
    to[channel] = to[channel]! + top * (1 - fy) + low * fy;
  }
}
