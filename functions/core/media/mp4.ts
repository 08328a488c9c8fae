/**
 * Whether an MP4 or MOV file is whole, from the lengths of its outermost boxes alone: a few small
 * reads, of a large file too. FFmpeg would only say "invalid data", or stop in mid-film without a
 * word. The server asks before anything is rented, the worker for what came to it another way.
 * Source: ISO/IEC 14496-12, 4.2 (boxes) and 8.8 (fragments).
 */

/** More boxes at the outermost level than any whole file without fragments has. */
const maxBoxes = 200;

/**
 * @param read gives up to `length` bytes at `offset`.
 * @returns a sentence that says what is missing, or null.
 */
export async function whatMp4Lacks(
  sizeBytes: number,
  read: (offset: number, length: number) => Promise<Uint8Array>,
): Promise<string | null> {
  let hasIndex = false;
  let offset = 0;
  let last = '';
  for (let box = 0; box < maxBoxes && offset + 8 <= sizeBytes; box++) {
    const header = Buffer.from(await read(offset, 16));
    last = header.toString('latin1', 4, 8);
    // A film in fragments is whole up to where it ends; recorders leave such files when they crash.
    if (last === 'moof') return null;
    if (last === 'moov') hasIndex = true;
    let length = header.readUInt32BE(0);
    if (length === 1 && header.length === 16) length = Number(header.readBigUInt64BE(8));
    if (length === 0) length = sizeBytes - offset;
    if (length < 8) break;
    offset += length;
  }
  if (!hasIndex) return 'The file ends too early: its index (moov) is missing.';
  // Nobody misses what is cut off of padding.
  if (offset <= sizeBytes || last === 'free') return null;
  return `The file ends too early: about ${Math.max(1, Math.round((1 - sizeBytes / offset) * 100))} % of it is missing.`;
}
