/** Reads an object piece by piece, each piece once, and not more of it than is allowed. */

const blockBytes = 64 * 1024;

/** The probe has read as much as it may: what is still unknown stays so. */
export class ReadLimitReached extends Error {}

export interface ObjectReader {
  readonly sizeBytes: number;
  /** Bytes [start, end), less where the object ends. @throws ReadLimitReached */
  read(start: number, end: number): Promise<Buffer>;
}

/**
 * @param fetchRange asks the object store for bytes [start, end).
 * @param head the first bytes of the object, where they were read already.
 */
export function openReader(
  sizeBytes: number,
  head: Buffer,
  fetchRange: (start: number, end: number) => Promise<Buffer>,
  maxBytes: number,
): ObjectReader {
  const blocks = new Map<number, Buffer>();
  let allowance = maxBytes;
  const keep = (start: number, bytes: Buffer) => {
    for (let offset = 0; offset < bytes.length; offset += blockBytes) {
      const block = bytes.subarray(offset, offset + blockBytes);
      // A block cut short is worth keeping only where the object ends too.
      if (block.length === blockBytes || start + offset + block.length === sizeBytes) {
        blocks.set((start + offset) / blockBytes, block);
      }
    }
  };
  keep(0, head);

  return {
    sizeBytes,
    async read(start, end) {
      const last = Math.min(end, sizeBytes);
      if (start >= last) return Buffer.alloc(0);
      const indexes = [];
      for (let i = Math.floor(start / blockBytes); i * blockBytes < last; i++) indexes.push(i);
      const missing = indexes.filter((index) => !blocks.has(index));
      if (missing.length > 0) {
        // From the first missing block to the last in one request: a gap costs less than a round trip.
        const from = missing[0]! * blockBytes;
        const to = Math.min((missing.at(-1)! + 1) * blockBytes, sizeBytes);
        if (to - from > allowance)
          throw new ReadLimitReached(`More than ${maxBytes} bytes would have to be read.`);
        allowance -= to - from;
        const bytes = await fetchRange(from, to);
        if (bytes.length < to - from) throw new Error('The object became shorter while it was read.');
        keep(from, bytes);
      }
      const joined = Buffer.concat(indexes.map((index) => blocks.get(index)!));
      const origin = indexes[0]! * blockBytes;
      return joined.subarray(start - origin, last - origin);
    },
  };
}
