/** Reads files out of an npm package's tarball: a gzipped tar archive in the ustar format. */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';

const BLOCK_BYTES = 512;
const REGULAR_FILE = ['0', '\0'];

/**
 * The contents of the wanted files. Paths are those in the package, without the folder
 * (usually `package/`) that npm puts around everything. Throws where one is missing.
 *
 * Source of the layout: POSIX.1-2017, pax, "ustar Interchange Format". Extended headers
 * (names over 255 bytes) are passed over: no file we want has one.
 */
export async function readTarball(
  tarball: string,
  wanted: ReadonlySet<string>,
): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  await pipeline(createReadStream(tarball), createGunzip(), async (unpacked: AsyncIterable<Buffer>) => {
    const reader = new BlockReader(unpacked);
    for (let header = await reader.take(BLOCK_BYTES); header; header = await reader.take(BLOCK_BYTES)) {
      const entry = parseHeader(header);
      if (!entry) continue;
      const paddedBytes = Math.ceil(entry.sizeBytes / BLOCK_BYTES) * BLOCK_BYTES;
      if (wanted.has(entry.path) && entry.isFile) {
        const content = await reader.take(paddedBytes);
        if (!content) throw new Error(`the tarball ends inside ${entry.path}`);
        found.set(entry.path, content.subarray(0, entry.sizeBytes));
      } else await reader.skip(paddedBytes);
    }
  });
  for (const name of wanted) if (!found.has(name)) throw new Error(`the package has no file ${name}`);
  return found;
}

/** Null for the blocks of zeros at the end. */
function parseHeader(header: Buffer): { path: string; sizeBytes: number; isFile: boolean } | null {
  const field = (start: number, length: number) => {
    const bytes = header.subarray(start, start + length);
    const end = bytes.indexOf(0);
    return bytes.subarray(0, end < 0 ? length : end).toString();
  };
  const name = field(0, 100);
  if (!name) return null;
  const prefix = field(345, 155);
  const fullPath = prefix ? `${prefix}/${name}` : name;
  return {
    path: fullPath.slice(fullPath.indexOf('/') + 1),
    sizeBytes: Number.parseInt(field(124, 12), 8),
    isFile: REGULAR_FILE.includes(String.fromCharCode(header[156]!)),
  };
}

/** Takes a stream apart into pieces of chosen length. */
class BlockReader {
  #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Null where the stream ends before `count` bytes. */
  async take(count: number): Promise<Buffer | null> {
    const pieces: Buffer[] = [];
    let missing = count;
    while (missing > 0) {
      const piece = await this.#next(missing);
      if (!piece) return null;
      pieces.push(piece);
      missing -= piece.length;
    }
    return Buffer.concat(pieces);
  }

  async skip(count: number): Promise<void> {
    let missing = count;
    while (missing > 0) {
      const piece = await this.#next(missing);
      if (!piece) return;
      missing -= piece.length;
    }
  }

  /** At most `limit` bytes, or null at the end. */
  async #next(limit: number): Promise<Buffer | null> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#source.next();
      if (done) return null;
      this.#rest = value;
    }
    const piece = this.#rest.subarray(0, limit);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }
}
