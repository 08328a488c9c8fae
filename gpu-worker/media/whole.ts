/** Media that are read as one: pictures, and what is so small that its first block is all of it. */
import { createHash } from 'node:crypto';
import { MediaError } from './errors.ts';
import type { ByteSource } from './source.ts';

/** Throws a MediaError where there is less than was said. The caller bounds the size. */
export async function readWhole(bytes: ByteSource): Promise<Buffer> {
  const file = Buffer.alloc(bytes.sizeBytes);
  for (let offset = 0; offset < file.length; ) {
    const chunk = await bytes.read(offset, file.length - offset);
    if (chunk.length === 0) throw new MediaError('broken_media', 'The file ends too early.');
    file.set(chunk, offset);
    offset += chunk.length;
  }
  return file;
}

/** In hexadecimal: the same file, wherever it lies and whatever it is called. */
export function sha256Of(file: Uint8Array): string {
  return createHash('sha256').update(file).digest('hex');
}
