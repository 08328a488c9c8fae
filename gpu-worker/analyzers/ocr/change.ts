/** Has the picture changed enough since text was last read from it to read again? */
import sharp from 'sharp';
import type { Frame } from '../analyzer.ts';

/** At this width a line of subtitles is still several pixels high, and noise has averaged out. */
const THUMBNAIL_WIDTH = 160;
/** Levels of 255; video compression stays below it at this size. */
const PIXEL_DIFFERENCE = 20;
/** One changed word of 24 px in a 720p picture is about 20 of its 14 400 pixels here. */
const CHANGED_SHARE = 0.0008;

/** A small grey picture. */
export async function thumbnail(frame: Frame): Promise<Uint8Array> {
  const { width, height, data } = frame;
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize({ width: THUMBNAIL_WIDTH, kernel: 'linear' })
    .greyscale()
    .raw()
    .toBuffer();
}

/** Compares two thumbnails; pictures of different shape differ. */
export function hasChanged(before: Uint8Array, after: Uint8Array): boolean {
  if (before.length !== after.length) return true;
  let changed = 0;
  for (let i = 0; i < after.length; i++) {
    if (Math.abs(after[i]! - before[i]!) > PIXEL_DIFFERENCE) changed++;
  }
  return changed > after.length * CHANGED_SHARE;
}
