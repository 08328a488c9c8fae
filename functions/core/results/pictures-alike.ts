/**
 * How alike two pictures are: by a perceptual hash, which survives what happens to a copy, and by
 * a vector of what there is to see, which finds other pictures of such things too.
 *
 * Measured over 195 photographs, drawings and backgrounds and 18,915 pairs of them. A copy of half
 * the size, of JPEG quality 10, darker by 40 % or brighter by 30 % differs from its original in at
 * most 10 of the 64 bits in 98 to 99 % of all cases, one that lost 5 % of its width and height at
 * the edges in 96 %. Of the 25 pairs of two files that differ in so few, none is of two different
 * pictures: they are copies, variants of one design, and views of one chessboard. The cosine is .21
 * between two pictures at the median; of two breeds of dogs it is .67, of two flowers .65, of an
 * orange and an apple .60, of two views of one thing .79 to .99. Copies keep .83 and more down to
 * JPEG quality 30, and those that lost 20 % at the edges .80: there the hash says nothing any more.
 */
import { dot } from './embeddings.ts';

/** Bits in which the hashes of a picture and its copy differ at the most. */
export const maxCopyBits = 10;
/** From this cosine on two pictures count as the same look. */
const SAME_LOOK = 0.8;
/** The hash of a picture with nothing in it. */
export const featurelessHash = '0'.repeat(16);

export interface Look {
  /** 64 bits in hexadecimal. */
  perceptualHash: string;
  /** Of length 1; null where there is nothing in the picture. */
  embedding: Float32Array | null;
}

/** How many bits differ. */
export function hashDistance(a: string, b: string): number {
  let difference = BigInt(`0x${a}`) ^ BigInt(`0x${b}`);
  let count = 0;
  for (; difference > 0n; difference &= difference - 1n) count++;
  return count;
}

/** Whether it is the same picture but for what encoders and small movements do to it. */
export function isCopy(a: string, b: string): boolean {
  return hashDistance(a, b) <= maxCopyBits;
}

/** Whether somebody would say that the picture has not changed: the camera or somebody in it may have moved. */
export function looksSame(a: Look, b: Look): boolean {
  if (isCopy(a.perceptualHash, b.perceptualHash)) return true;
  return a.embedding !== null && b.embedding !== null && dot(a.embedding, b.embedding) >= SAME_LOOK;
}
