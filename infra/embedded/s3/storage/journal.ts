import { copyFile, type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { coalesce } from './coalesce.ts';

/**
 * An append-only file of JSON entries, one a line, each behind its CRC-32. `append` settles when the entry is on
 * disk; entries that arrive together share one write and one fdatasync. An entry is whole or absent after a crash:
 * a torn last line fails its checksum and is dropped, and nobody was told that it had been kept.
 *
 * The file is rewritten from a snapshot when it is opened and whenever it has doubled. A snapshot is taken in one
 * step, and the entries waiting at that time follow it although it contains them: applying an entry twice must
 * therefore be the same as applying it once.
 */

const NEWLINE = 0x0a;
const WRITE_BYTES = 1 << 20;
/** Growth below this is not worth a rewrite: 8 MiB are about 20,000 object entries, read in a tenth of a second. */
const MINIMUM_GROWTH_BYTES = 8 << 20;

export interface JournalOptions {
  path: string;
  /** Called for every entry found, in order. */
  apply: (entry: unknown) => void;
  /** The entries that rebuild the present state. */
  snapshot: () => unknown[];
  /** Growth that triggers a rewrite, bytes. */
  growthBytes?: number;
}

/** What opening found: `damagedLines` counts bad lines with good ones after them, which no crash explains. */
export interface Recovery {
  existed: boolean;
  tornBytes: number;
  damagedLines: number;
}

function encode(entry: unknown): Buffer {
  const json = Buffer.from(JSON.stringify(entry));
  return Buffer.concat([
    Buffer.from(`${crc32(json).toString(16).padStart(8, '0')} `),
    json,
    Buffer.from('\n'),
  ]);
}

function decode(line: Buffer): unknown {
  const json = line.subarray(9);
  if (line.length < 10 || Number.parseInt(line.toString('latin1', 0, 8), 16) !== crc32(json))
    return undefined;
  return JSON.parse(json.toString());
}

async function* linesOf(file: FileHandle): AsyncGenerator<{ line: Buffer; complete: boolean }> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of file.createReadStream({ highWaterMark: WRITE_BYTES, autoClose: false })) {
    let data: Buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE)) {
      yield { line: data.subarray(0, end), complete: true };
      data = data.subarray(end + 1);
    }
    rest = data;
  }
  if (rest.length > 0) yield { line: rest, complete: false };
}

async function recover(path: string, apply: (entry: unknown) => void): Promise<Recovery> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return { existed: false, tornBytes: 0, damagedLines: 0 };
    throw error;
  }
  let badLines = 0;
  let tornBytes = 0;
  let damagedLines = 0;
  try {
    for await (const { line, complete } of linesOf(file)) {
      const entry = complete ? decode(line) : undefined;
      if (entry === undefined) {
        badLines += 1;
        tornBytes += line.length;
        continue;
      }
      damagedLines += badLines;
      badLines = 0;
      tornBytes = 0;
      apply(entry);
    }
  } finally {
    await file.close();
  }
  return { existed: true, tornBytes, damagedLines };
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #growthBytes: number;
  #file: FileHandle | null = null;
  #pending: Buffer[] = [];
  #sizeBytes = 0;
  #rewrittenBytes = 0;
  #failure: unknown = null;
  readonly #flush = coalesce(() => this.#writePending());

  private constructor(options: JournalOptions) {
    this.#options = options;
    this.#growthBytes = options.growthBytes ?? MINIMUM_GROWTH_BYTES;
  }

  /**
   * Reads the file, if there is one, into `apply` and rewrites it from `snapshot`. A file damaged otherwise than
   * at its end is kept beside it as `<path>.damaged-<milliseconds>`.
   */
  static async open(options: JournalOptions): Promise<{ journal: Journal; recovery: Recovery }> {
    const recovery = await recover(options.path, options.apply);
    if (recovery.damagedLines > 0) await copyFile(options.path, `${options.path}.damaged-${Date.now()}`);
    const journal = new Journal(options);
    await journal.#rewrite(options.snapshot());
    return { journal, recovery };
  }

  /** Settles when the entry is on disk. After one failure every call fails: what is on disk is then unknown. */
  append(entry: unknown): Promise<void> {
    this.#pending.push(encode(entry));
    return this.#flush();
  }

  /** Settles when all entries appended so far are on disk. */
  settled(): Promise<void> {
    return this.#flush();
  }

  async close(): Promise<void> {
    await this.#flush().catch(() => {}); // a failure was told to those who appended
    await this.#file?.close();
    this.#file = null;
    this.#failure ??= new Error('the journal is closed');
  }

  async #writePending(): Promise<void> {
    if (this.#failure) throw this.#failure;
    const lines = this.#pending;
    this.#pending = [];
    try {
      const grown = this.#sizeBytes - this.#rewrittenBytes;
      if (grown > Math.max(this.#growthBytes, this.#rewrittenBytes))
        await this.#rewrite(this.#options.snapshot());
      if (lines.length === 0) return;
      const data = Buffer.concat(lines);
      await this.#file!.appendFile(data);
      await this.#file!.datasync();
      this.#sizeBytes += data.length;
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** Writes a new file, makes it durable, then puts it in the old one's place: a crash leaves one or the other. */
  async #rewrite(entries: unknown[]): Promise<void> {
    const path = this.#options.path;
    const file = await open(`${path}.new`, 'w', 0o600);
    let sizeBytes = 0;
    let batch: Buffer[] = [];
    let batchBytes = 0;
    const write = async (): Promise<void> => {
      await file.appendFile(Buffer.concat(batch));
      sizeBytes += batchBytes;
      batch = [];
      batchBytes = 0;
    };
    for (const entry of entries) {
      const line = encode(entry);
      batch.push(line);
      batchBytes += line.length;
      if (batchBytes >= WRITE_BYTES) await write();
    }
    await write();
    await file.datasync();
    await rename(`${path}.new`, path);
    await syncFolder(dirname(path));
    await this.#file?.close();
    this.#file = file;
    this.#sizeBytes = sizeBytes;
    this.#rewrittenBytes = sizeBytes;
  }
}

/** Makes names created in, moved into or removed from a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // Windows cannot open folders; NTFS journals names itself
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
