/** A file to read from at any place: formats with a table of contents are read without loading them whole. */
import { type FileHandle, open } from 'node:fs/promises';

export class FileBytes {
  readonly sizeBytes: number;
  #file: FileHandle;

  private constructor(file: FileHandle, sizeBytes: number) {
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  static async open(file: string): Promise<FileBytes> {
    const handle = await open(file, 'r');
    return new FileBytes(handle, (await handle.stat()).size);
  }

  /** Exactly `length` bytes from `offset` on. Throws a RangeError where the file has fewer. */
  async read(offset: number, length: number): Promise<Buffer> {
    if (!(offset >= 0 && length >= 0 && offset + length <= this.sizeBytes)) {
      throw new RangeError(`the file of ${this.sizeBytes} bytes has no ${length} bytes at ${offset}`);
    }
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.#file.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) throw new RangeError(`the file ended at ${offset + done}`);
      done += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
