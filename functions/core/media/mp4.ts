/**
 * Whether an MP4 or MOV file is whole, from the lengths of its outermost boxes alone: a few small
 * reads, of a large file too. Source: ISO/IEC 14496-12, 4.2 (boxes) and 8.8 (fragments).
 */
import { AimaError } from '../errors.ts';
import type { ObjectReader } from './object-reader.ts';

/** More boxes at the outermost level than any whole file without fragments has. */
const maxBoxes = 200;

/** @throws AimaError `broken_media` with what is missing. */
export async function checkMp4IsWhole(file: ObjectReader): Promise<void> {
  let hasIndex = false;
  let offset = 0;
  for (let box = 0; box < maxBoxes && offset + 8 <= file.sizeBytes; box++) {
    const header = await file.read(offset, offset + 16);
    const type = header.toString('latin1', 4, 8);
    // A film in fragments is whole up to where it ends; recorders leave such files when they crash.
    if (type === 'moof') return;
    if (type === 'moov') hasIndex = true;
    let length = header.readUInt32BE(0);
    if (length === 1 && header.length === 16) length = Number(header.readBigUInt64BE(8));
    if (length === 0) length = file.sizeBytes - offset;
    if (length < 8) break;
    offset += length;
  }
  if (!hasIndex) throw new AimaError('broken_media', 'The file ends too early: its index (moov) is missing.');
  if (offset > file.sizeBytes) {
    const percent = Math.max(1, Math.round((1 - file.sizeBytes / offset) * 100));
    throw new AimaError('broken_media', `The file ends too early: about ${percent} % of it is missing.`);
  }
}
