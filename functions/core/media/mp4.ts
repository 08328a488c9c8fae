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
export async function whatMp4Lacks(sizeBytes: number, read: Read): Promise<string | null> {
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

type Read = (offset: number, length: number) => Promise<Uint8Array>;

interface Box {
  type: string;
  /** Where its content begins and ends. */
  start: number;
  end: number;
}

/** Boxes that hold others, on the way from the index to the tables of each track. */
const containers = ['moov', 'trak', 'mdia', 'minf', 'stbl'];
/** More boxes than the index of any film that somebody made has. */
const maxIndexBoxes = 5000;

/**
 * Whether the index of an MP4 file promises more than there can be: tables with more entries than
 * room, chunks or times of more samples than the track has. Parsers believe it: one changed byte,
 * and they count to four thousand million.
 * @returns a sentence, or null.
 */
export async function mp4IndexFault(sizeBytes: number, read: Read): Promise<string | null> {
  let left = maxIndexBoxes;

  async function isSound({ type, start, end }: Box): Promise<boolean> {
    const inside: Box[] = [];
    for await (const box of boxesIn(read, start, end)) {
      if (--left < 0) return false;
      if (containers.includes(box.type) && !(await isSound(box))) return false;
      inside.push(box);
    }
    return type !== 'stbl' || areTablesSound(inside, sizeBytes, read);
  }

  return (await isSound({ type: 'file', start: 0, end: sizeBytes }))
    ? null
    : 'The file is damaged: its index makes no sense.';
}

async function* boxesIn(read: Read, start: number, end: number): AsyncGenerator<Box> {
  for (let offset = start; offset + 8 <= end; ) {
    const header = Buffer.from(await read(offset, 16));
    let length = header.readUInt32BE(0);
    let headerBytes = 8;
    if (length === 1 && header.length === 16) {
      length = Number(header.readBigUInt64BE(8));
      headerBytes = 16;
    }
    if (length === 0) length = end - offset;
    if (length < headerBytes) return; // not a box: whoever reads on stops here too
    yield {
      type: header.toString('latin1', 4, 8),
      start: offset + headerBytes,
      end: Math.min(offset + length, end),
    };
    offset += length;
  }
}

/** The tables of one track (ISO/IEC 14496-12, 8.5 to 8.7): version and flags, a count, the entries. */
async function areTablesSound(boxes: Box[], sizeBytes: number, read: Read): Promise<boolean> {
  const sizes = boxes.find((box) => box.type === 'stsz');
  // A track may keep its sizes in another way (stz2): then nothing is known of their number.
  const [sampleBytes, samples] = sizes
    ? words(await read(sizes.start + 4, 8))
    : [0, Number.POSITIVE_INFINITY];
  // Samples of one size each stand for bytes of the file, the others for a number in the table.
  if (sizes && samples! * (sampleBytes || 4) > (sampleBytes ? sizeBytes : sizes.end - sizes.start))
    return false;
  for (const { type, start, end } of boxes) {
    const shape = entryShapes[type];
    if (!shape) continue;
    const [count] = words(await read(start + 4, 4));
    const bytes = (count ?? 0) * shape.bytes;
    if (bytes > end - start - 8) return false;
    if (shape.samplesAt === undefined || bytes === 0) continue;
    const entries = Buffer.from(await read(start + 8, bytes));
    for (let at = shape.samplesAt; at + 4 <= entries.length; at += shape.bytes) {
      if (entries.readUInt32BE(at) > samples!) return false;
    }
  }
  return true;
}

/** Least bytes of an entry, and where in it a number of samples stands. */
const entryShapes: Record<string, { bytes: number; samplesAt?: number }> = {
  stsd: { bytes: 8 },
  stts: { bytes: 8, samplesAt: 0 },
  ctts: { bytes: 8, samplesAt: 0 },
  stsc: { bytes: 12, samplesAt: 4 },
  stco: { bytes: 4 },
  co64: { bytes: 8 },
  stss: { bytes: 4 },
};

/** Big-endian unsigned 32-bit numbers; fewer where the bytes end. */
function words(bytes: Uint8Array): number[] {
  const buffer = Buffer.from(bytes);
  return Array.from({ length: buffer.length >> 2 }, (_, index) => buffer.readUInt32BE(index * 4));
}
