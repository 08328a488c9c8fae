import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { coalesce } from './coalesce.ts';
import { syncFolder } from './journal.ts';

/**
 * The bytes of objects and parts: one immutable file each, under a random name in one folder. A blob exists for as
 * long as something holds it: an object, a part, or a reader that is sending it. A copy and a completed multipart
 * upload hold the same blobs as their sources, so neither moves a byte. A file that nothing holds when the server
 * starts (an upload cut off by a crash) is removed.
 */

export interface Blob {
  id: string;
  sizeBytes: number;
}

const WRITE_BYTES = 512 << 10;
const READ_BYTES = 256 << 10;

export class Blobs {
  readonly #folder: string;
  readonly #holders = new Map<string, number>();
  /** Many uploads that end together share one fsync of the folder. */
  readonly #syncNames: () => Promise<void>;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#syncNames = coalesce(() => syncFolder(folder));
  }

  static async open(folder: string): Promise<Blobs> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return new Blobs(folder);
  }

  /**
   * Writes a blob and makes it durable, its name too. Memory: about 1 MiB, whatever the size. Nothing holds the
   * new blob: the caller lets something hold it, or discards it. On error nothing is left.
   */
  async write(source: AsyncIterable<Buffer>): Promise<Blob> {
    const id = randomUUID();
    const file = await open(this.#path(id), 'wx', 0o600);
    try {
      let sizeBytes = 0;
      let batch: Buffer[] = [];
      let batchBytes = 0;
      let writing: Promise<void> = Promise.resolve();
      for await (const chunk of source) {
        batch.push(chunk);
        batchBytes += chunk.length;
        sizeBytes += chunk.length;
        if (batchBytes < WRITE_BYTES) continue;
        await writing; // one write runs while the next batch is received
        writing = writeAll(file, batch);
        writing.catch(() => {}); // reported by the await that follows
        batch = [];
        batchBytes = 0;
      }
      await writing;
      await writeAll(file, batch);
      await file.datasync();
      await file.close();
      await this.#syncNames();
      return { id, sizeBytes };
    } catch (error) {
      await file.close().catch(() => {}); // it may be closed already
      await this.discard(id);
      throw error;
    }
  }

  /** Adds one holder to each blob. */
  hold(blobs: readonly Blob[]): void {
    for (const { id } of blobs) this.#holders.set(id, (this.#holders.get(id) ?? 0) + 1);
  }

  /** Takes one holder from each blob and removes the files of those that have none left. */
  async release(blobs: readonly Blob[]): Promise<void> {
    for (const { id } of blobs) {
      const holders = (this.#holders.get(id) ?? 0) - 1;
      if (holders > 0) {
        this.#holders.set(id, holders);
      } else {
        this.#holders.delete(id);
        await this.discard(id);
      }
    }
  }

  /** Removes a blob that nothing holds. */
  async discard(id: string): Promise<void> {
    await rm(this.#path(id), { force: true });
  }

  /** The bytes `start` to `end` (inclusive) of the blobs read as one. The caller holds the blobs meanwhile. */
  async *read(blobs: readonly Blob[], start: number, end: number): AsyncGenerator<Buffer> {
    let offset = 0;
    for (const { id, sizeBytes } of blobs) {
      const from = Math.max(start - offset, 0);
      const to = Math.min(end - offset, sizeBytes - 1);
      if (from <= to) {
        yield* createReadStream(this.#path(id), { start: from, end: to, highWaterMark: READ_BYTES });
      }
      offset += sizeBytes;
      if (offset > end) return;
    }
  }

  /** The files that nothing holds. Only for the start, before any upload. */
  async orphans(): Promise<string[]> {
    return (await readdir(this.#folder)).filter((id) => !this.#holders.has(id));
  }

  /** Moves a file that nothing holds out of the store. */
  async setAside(id: string, folder: string): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rename(this.#path(id), join(folder, id));
  }

  /** Bytes that an unprivileged process may still write to the disk. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#folder);
    return bavail * bsize;
  }

  #path(id: string): string {
    return join(this.#folder, id);
  }
}

/** Appends without joining the pieces first, which would make as much garbage as there are bytes. */
async function writeAll(file: FileHandle, batch: Buffer[]): Promise<void> {
  if (batch.length === 0) return;
  const sizeBytes = batch.reduce((sum, piece) => sum + piece.length, 0);
  const { bytesWritten } = await file.writev(batch);
  if (bytesWritten < sizeBytes) await file.appendFile(Buffer.concat(batch).subarray(bytesWritten));
}
