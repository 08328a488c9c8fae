import { MediaError } from './errors.ts';
import type { ByteSource } from './source.ts';

/**
 * Finds out whether an MP4 or MOV file is complete, from the lengths of its outermost boxes
 * alone: a few small reads, also of a large file. FFmpeg would only say "invalid data", or
 * stop in mid-film without a word. Throws a MediaError that says what is missing.
 *
 * Source: ISO/IEC 14496-12, 4.2 (boxes) and 8.8 (fragments).
 */
export async function checkMp4IsWhole(bytes: ByteSource): Promise<void> {
  let hasIndex = false;
  for (let offset = 0; offset + 8 <= bytes.sizeBytes; ) {
    const header = Buffer.from(await bytes.read(offset, 16));
    const type = header.toString('latin1', 4, 8);
    // A film in fragments is whole up to where it ends; recorders leave such files when they crash.
    if (type === 'moof') return;
    if (type === 'moov') hasIndex = true;
    let length = header.readUInt32BE(0);
    if (length === 1 && header.length === 16) length = Number(header.readBigUInt64BE(8));
    if (length === 0) length = bytes.sizeBytes - offset;
    if (length < 8) break;
    offset += length;
    if (hasIndex && type !== 'free' && offset > bytes.sizeBytes) {
      const percent = Math.max(1, Math.round((1 - bytes.sizeBytes / offset) * 100));
      throw new MediaError('broken_media', `The file ends too early: about ${percent} % of it is missing.`);
    }
  }
  if (!hasIndex) {
    throw new MediaError('broken_media', 'The file ends too early: its index (moov) is missing.');
  }
}
