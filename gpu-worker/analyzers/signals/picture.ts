/** A picture's brightness, small: is it black, and is it the same as another? */
import type { Frame } from '../analyzer.ts';

/**
 * As FFmpeg's `blackdetect` has by default: a pixel is black up to a tenth of the range of its
 * brightness, a picture where 98 % of its pixels are.
 */
const blackLuma = 0.1 * 255;
const blackShare = 0.98;

/**
 * As FFmpeg's `freezedetect` has by default (-60 dB): what pixels differ by on average, as a share of the
 * range. Of brightness alone, and of small pictures, in which noise has averaged out.
 */
const stillDifference = 0.001;

/** ITU-R BT.601 in 256ths. */
const [red, green, blue] = [77, 150, 29];

/**
 * The brightness, 0..255, of every second pixel of every second row: enough, and a quarter of the work.
 *
 * @param into is filled and returned where it has the size
 */
export function lumaOf({ width, height, data }: Frame, into: Uint8Array | null): Uint8Array {
  const size = Math.ceil(width / 2) * Math.ceil(height / 2);
  const luma = into?.length === size ? into : new Uint8Array(size);
  let at = 0;
  for (let y = 0; y < height; y += 2) {
    const end = (y + 1) * width * 3;
    for (let i = y * width * 3; i < end; i += 6) {
      luma[at++] = (red * data[i]! + green * data[i + 1]! + blue * data[i + 2]!) >> 8;
    }
  }
  return luma;
}

export function isBlack(luma: Uint8Array): boolean {
  let black = 0;
  for (const value of luma) if (value <= blackLuma) black++;
  return black >= blackShare * luma.length;
}

/** Pictures of different size differ. */
export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference += Math.abs(a[i]! - b[i]!);
  return difference <= stillDifference * 255 * a.length;
}
