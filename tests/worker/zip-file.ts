/** Writes ZIP archives, as Python and PyTorch write them. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipOptions {
  /** Packs the entries; otherwise they are stored as they are. */
  deflate?: boolean;
  /** Writes sizes and places as PyTorch does: in the fields for archives of more than 4 GiB. */
  zip64?: boolean;
}

const TOO_LARGE = 0xffff_ffff;

export function zipFile(files: Record<string, Buffer>, { deflate, zip64 }: ZipOptions = {}): Buffer {
  const contents: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const packed = deflate ? deflateRawSync(content) : content;
    const sizes = [crc32(content), packed.length, content.length] as const;
    const local = Buffer.concat([
      fields([4, 0x04034b50], [2, 20], [2, 0], [2, deflate ? 8 : 0], [4, 0]),
      fields(...sizes.map((value) => [4, value] as const), [2, Buffer.byteLength(name)], [2, 0]),
      Buffer.from(name),
      packed,
    ]);
    const wide = zip64
      ? fields([2, 1], [2, 24], [8, content.length], [8, packed.length], [8, offset])
      : Buffer.alloc(0);
    directory.push(
      fields([4, 0x02014b50], [2, 20], [2, 20], [2, 0], [2, deflate ? 8 : 0], [4, 0], [4, sizes[0]]),
      fields([4, zip64 ? TOO_LARGE : packed.length], [4, zip64 ? TOO_LARGE : content.length]),
      fields([2, Buffer.byteLength(name)], [2, wide.length], [2, 0], [2, 0], [2, 0], [4, 0]),
      fields([4, zip64 ? TOO_LARGE : offset]),
      Buffer.from(name),
      wide,
    );
    contents.push(local);
    offset += local.length;
  }
  const count = Object.keys(files).length;
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const wideEnd = zip64
    ? [
        fields(
          [4, 0x06064b50],
          [8, 44],
          [2, 45],
          [2, 45],
          [4, 0],
          [4, 0],
          [8, count],
          [8, count],
          [8, size],
          [8, offset],
        ),
        fields([4, 0x07064b50], [4, 0], [8, offset + size], [4, 1]),
      ]
    : [];
  const end = fields(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, zip64 ? TOO_LARGE : size],
    [4, zip64 ? TOO_LARGE : offset],
    [2, 0],
  );
  return Buffer.concat([...contents, ...directory, ...wideEnd, end]);
}

/** Little-endian numbers, each of so many bytes. */
function fields(...numbers: (readonly [bytes: number, value: number])[]): Buffer {
  return Buffer.concat(
    numbers.map(([bytes, value]) => {
      const buffer = Buffer.alloc(8);
      buffer.writeBigUInt64LE(BigInt(value));
      return buffer.subarray(0, bytes);
    }),
  );
}
