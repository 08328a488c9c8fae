/** A picture boiled down to what a cut changes: the mean colours of a coarse grid. */
import type { Frame } from '../analyzer.ts';

const columns = 32;
const rows = 18;

export interface Signature {
  /** Y, Cb and Cr of each block, 0..255. */
  blocks: Float32Array;
  /** Mean of Y, 0..1. */
  brightness: number;
  /** Standard deviation of Y over the blocks, 0..1. */
  contrast: number;
}

/**
 * Means over blocks forget noise, grain and small movements; a cut to another shot is left
 * as the largest change. Every second pixel of every second row is enough.
 */
export function signatureOf({ width, height, data }: Frame): Signature {
  const sums = new Float32Array(columns * rows * 3);
  const counts = new Uint32Array(columns * rows);
  for (let y = 0; y < height; y += 2) {
    const row = Math.floor((y * rows) / height) * columns;
    for (let x = 0; x < width; x += 2) {
      const block = row + Math.floor((x * columns) / width);
      const at = (y * width + x) * 3;
      sums[block * 3]! += data[at]!;
      sums[block * 3 + 1]! += data[at + 1]!;
      sums[block * 3 + 2]! += data[at + 2]!;
      counts[block]!++;
    }
  }
  let sum = 0;
  let squares = 0;
  let used = 0;
  for (let block = 0; block < counts.length; block++) {
    const count = counts[block]!;
    if (count === 0) continue;
    const [r, g, b] = [sums[block * 3]! / count, sums[block * 3 + 1]! / count, sums[block * 3 + 2]! / count];
    // ITU-R BT.601.
    const luma = 0.299 * r + 0.587 * g + 0.114 * b;
    sums[block * 3] = luma;
    sums[block * 3 + 1] = 0.564 * (b - luma) + 128;
    sums[block * 3 + 2] = 0.713 * (r - luma) + 128;
    sum += luma;
    squares += luma * luma;
    used++;
  }
  const mean = sum / used;
  return {
    blocks: sums,
    brightness: mean / 255,
    contrast: Math.sqrt(Math.max(0, squares / used - mean * mean)) / 255,
  };
}

/** How different two pictures are: 0 for the same, about 0.15 to 0.4 for two shots, at most 1. */
export function distance(a: Signature, b: Signature): number {
  let sum = 0;
  for (let i = 0; i < a.blocks.length; i++) sum += Math.abs(a.blocks[i]! - b.blocks[i]!);
  return Math.min(1, sum / (columns * rows * 255));
}

/** How much detail there is to see, 0..1: the mean step between neighbouring pixels. */
export function sharpness({ width, height, data }: Frame): number {
  let sum = 0;
  let count = 0;
  for (let y = 0; y < height; y += 2) {
    for (let x = 1; x < width; x += 2) {
      const at = (y * width + x) * 3 + 1;
      sum += Math.abs(data[at]! - data[at - 3]!);
      count++;
    }
  }
  return count === 0 ? 0 : sum / count / 255;
}
