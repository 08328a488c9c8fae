import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { MediaError } from './errors.ts';
import type { ByteSource } from './source.ts';

/**
 * A local file as a byte source.
 *
 * Reads are synchronous: FFmpeg waits for them inside a thread of libuv's pool (four of them),
 * so asynchronous reads, which need the same pool, would hang for ever as soon as four media
 * were read at once.
 */
export function openFile(path: string): ByteSource {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (cause) {
    throw new MediaError('media_unreachable', 'The file cannot be opened.', { cause });
  }
  const sizeBytes = fstatSync(descriptor).size;
  if (sizeBytes === 0) {
    closeSync(descriptor);
    throw new MediaError('broken_media', 'The file is empty.');
  }
  return {
    sizeBytes,
    async read(offset, length) {
      const bytes = Buffer.allocUnsafe(Math.max(0, Math.min(length, sizeBytes - offset)));
      return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, offset));
    },
    async close() {
      closeSync(descriptor);
    },
  };
}
