/**
 * Reads ZIP archives: Python's wheels and PyTorch's checkpoints are such. Only what those
 * have: entries that are stored or deflated, with the ZIP64 fields that PyTorch always writes; no
 * encryption, no archives of several disks.
 *
 * Layout: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (6.3.10), section 4.3.
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import type { FileBytes } from './file-bytes.ts';

const END_BYTES = 22;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_BYTES = 56;
const LOCAL_HEADER_BYTES = 30;
const ENTRY_BYTES = 46;
const MAX_COMMENT_BYTES = 0xffff;
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;
const IN_ZIP64_FIELD = 0xffff_ffff;
const ZIP64_FIELD = 1;
const STORED = 0;
const DEFLATED = 8;
const CHUNK_BYTES = 1024 * 1024;

export interface ZipEntry {
  name: string;
  method: number;
  packedBytes: number;
  sizeBytes: number;
  headerOffset: number;
}

/** The archive's table of contents. Throws where the file is no ZIP archive or is damaged. */
export async function readZipEntries(file: FileBytes): Promise<Map<string, ZipEntry>> {
  const { offset, sizeBytes } = await findDirectory(file);
  if (sizeBytes > MAX_DIRECTORY_BYTES) throw new Error(`the archive's directory has ${sizeBytes} bytes`);
  const directory = await file.read(offset, sizeBytes);
  const entries = new Map<string, ZipEntry>();
  for (let at = 0; at + ENTRY_BYTES <= directory.length && directory.readUInt32LE(at) === 0x02014b50; ) {
    const nameEnd = at + ENTRY_BYTES + directory.readUInt16LE(at + 28);
    const extraEnd = nameEnd + directory.readUInt16LE(at + 30);
    const name = directory.toString('utf8', at + ENTRY_BYTES, nameEnd);
    const [sizeOfContent, packedBytes, headerOffset] = wideFields(directory.subarray(nameEnd, extraEnd), [
      directory.readUInt32LE(at + 24),
      directory.readUInt32LE(at + 20),
      directory.readUInt32LE(at + 42),
    ]);
    const method = directory.readUInt16LE(at + 10);
    entries.set(name, {
      name,
      method,
      packedBytes: packedBytes!,
      sizeBytes: sizeOfContent!,
      headerOffset: headerOffset!,
    });
    at = extraEnd + directory.readUInt16LE(at + 32);
  }
  return entries;
}

/** Where the entry's bytes begin, as they are packed. */
async function contentOffset(file: FileBytes, entry: ZipEntry): Promise<number> {
  const header = await file.read(entry.headerOffset, LOCAL_HEADER_BYTES);
  if (header.readUInt32LE(0) !== 0x04034b50) throw new Error(`the archive is damaged at ${entry.name}`);
  return entry.headerOffset + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
}

/** The same for an entry that must be stored as it is, so that parts of it can be read. */
export async function storedOffset(file: FileBytes, entry: ZipEntry): Promise<number> {
  if (entry.method !== STORED) throw new Error(`${entry.name} is packed in the archive`);
  return contentOffset(file, entry);
}

/** The entry's content, never more than its size in the directory. */
export async function* readZipEntry(file: FileBytes, entry: ZipEntry): AsyncGenerator<Buffer> {
  if (entry.method !== STORED && entry.method !== DEFLATED) {
    throw new Error(`${entry.name} is packed by an unknown method, ${entry.method}`);
  }
  const packed = chunksOf(file, await contentOffset(file, entry), entry.packedBytes);
  let received = 0;
  for await (const chunk of entry.method === STORED ? packed : inflated(packed)) {
    received += chunk.length;
    if (received > entry.sizeBytes) break;
    yield chunk;
  }
  if (received !== entry.sizeBytes) throw new Error(`${entry.name} has not the size that the archive says`);
}

async function* inflated(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const inflate = createInflateRaw();
  const feeding = pipeline(Readable.from(packed), inflate);
  // What fails here destroys `inflate` too, whose reader below then gets the error.
  feeding.catch(() => {});
  yield* inflate;
  await feeding;
}

async function* chunksOf(file: FileBytes, start: number, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let done = 0; done < sizeBytes; done += CHUNK_BYTES) {
    yield await file.read(start + done, Math.min(CHUNK_BYTES, sizeBytes - done));
  }
}

async function findDirectory(file: FileBytes): Promise<{ offset: number; sizeBytes: number }> {
  const tailBytes = Math.min(file.sizeBytes, END_BYTES + MAX_COMMENT_BYTES + ZIP64_LOCATOR_BYTES);
  const tail = await file.read(file.sizeBytes - tailBytes, tailBytes);
  const end = tail.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (end < 0 || end + END_BYTES > tail.length) throw new Error('the file is no ZIP archive');
  const locator = end - ZIP64_LOCATOR_BYTES;
  if (locator >= 0 && tail.readUInt32LE(locator) === 0x07064b50) {
    const wide = await file.read(Number(tail.readBigUInt64LE(locator + 8)), ZIP64_END_BYTES);
    return { offset: Number(wide.readBigUInt64LE(48)), sizeBytes: Number(wide.readBigUInt64LE(40)) };
  }
  return { offset: tail.readUInt32LE(end + 16), sizeBytes: tail.readUInt32LE(end + 12) };
}

/** The fields, each taken out of the ZIP64 field where it did not fit into 32 bits. */
function wideFields(extra: Buffer, fields: number[]): number[] {
  let wide: Buffer = Buffer.alloc(0);
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) === ZIP64_FIELD)
      wide = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
  }
  let at = 0;
  return fields.map((field) => {
    if (field !== IN_ZIP64_FIELD) return field;
    const value = Number(wide.readBigUInt64LE(at));
    at += 8;
    return value;
  });
}
