import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { S3Error } from '../protocol/errors.ts';
import { Blobs } from './blobs.ts';
import { type Bucket, Catalog, type Change } from './catalog.ts';
import { Journal, type Recovery } from './journal.ts';
import { type FolderLock, lockFolder } from './lock.ts';

/**
 * Catalog, journal and blobs as one. The order that makes an acknowledged upload survive a crash at any moment:
 *
 *   1. the blob's bytes and name are made durable;
 *   2. the change enters the catalog and, in the same step, the queue of the journal;
 *   3. the journal's entry is made durable; only now is the client answered;
 *   4. blobs that the change displaced are removed, once their last reader has finished.
 *
 * A crash before 3 leaves a blob that nothing holds, removed at the next start; a crash before 4 the same.
 * Checks and `commit` without an `await` between them are atomic: nothing else runs in that step. A reader may see
 * a change for the few milliseconds before it is durable; whoever made it has not been told yet.
 */

export interface StoreOptions {
  /** Folder of the store, created if missing. */
  folder: string;
  /** One line for the operator. */
  log: (line: string) => void;
  /** The journal could not be written: memory and disk may differ, so the process has to end and start again. */
  onFatal: (error: unknown) => void;
  /** Growth that triggers a rewrite of the journal, bytes; see journal.ts. */
  journalGrowthBytes?: number;
}

/** Kept free for the journal, so that deleting is still possible when uploads are refused. */
const RESERVE_BYTES = 64 << 20;

export class ObjectStore {
  readonly catalog: Catalog;
  readonly blobs: Blobs;
  readonly #journal: Journal;
  readonly #lock: FolderLock;
  readonly #onFatal: (error: unknown) => void;
  #closing = false;
  /** Called when new events are durable. */
  onEvents: () => void = () => {};

  private constructor(
    catalog: Catalog,
    blobs: Blobs,
    journal: Journal,
    lock: FolderLock,
    options: StoreOptions,
  ) {
    this.catalog = catalog;
    this.blobs = blobs;
    this.#journal = journal;
    this.#lock = lock;
    this.#onFatal = options.onFatal;
  }

  /** @throws when another process has the folder open, or when blobs lie there without their journal. */
  static async open(options: StoreOptions): Promise<ObjectStore> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const lock = await lockFolder(options.folder);
    try {
      const blobs = await Blobs.open(join(options.folder, 'blobs'));
      const catalog = new Catalog();
      const { journal, recovery } = await Journal.open({
        path: join(options.folder, 'journal'),
        apply: (entry) => {
          for (const change of entry as Change[]) catalog.apply(change);
        },
        snapshot: () => catalog.snapshot().map((change) => [change]),
        ...(options.journalGrowthBytes !== undefined && { growthBytes: options.journalGrowthBytes }),
      });
      blobs.hold(catalog.heldBlobs());
      await clean(options, blobs, recovery);
      return new ObjectStore(catalog, blobs, journal, lock, options);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** @throws {S3Error} NoSuchBucket */
  bucket(name: string): Bucket {
    const bucket = this.catalog.buckets.get(name);
    if (!bucket) throw new S3Error('NoSuchBucket');
    return bucket;
  }

  /** Applies the changes at once and together; settles when they are durable. */
  async commit(changes: Change[]): Promise<void> {
    const displaced = changes.flatMap((change) => {
      const { gained, lost } = this.catalog.apply(change);
      this.blobs.hold(gained);
      return lost;
    });
    try {
      await this.#journal.append(changes);
    } catch (error) {
      if (!this.#closing) this.#onFatal(error);
      throw error;
    }
    await this.blobs.release(displaced);
    if (changes.some((change) => change.type === 'event')) this.onEvents();
  }

  /** Settles when everything applied so far is durable. */
  settled(): Promise<void> {
    return this.#journal.settled();
  }

  /** @throws {S3Error} StorageFull when so many more bytes would leave no room for the journal. */
  async ensureRoom(sizeBytes: number): Promise<void> {
    if ((await this.blobs.freeBytes()) < sizeBytes + RESERVE_BYTES) throw new S3Error('StorageFull');
  }

  /** Changes that come later are refused. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#journal.close();
    await this.#lock.release();
  }
}

/** Removes what a crash left behind; where the journal cannot be trusted, sets blobs aside instead. */
async function clean({ folder, log }: StoreOptions, blobs: Blobs, recovery: Recovery): Promise<void> {
  if (recovery.tornBytes > 0) log(`dropped ${recovery.tornBytes} bytes of an unfinished journal entry`);
  const orphans = await blobs.orphans();
  if (recovery.existed && recovery.damagedLines === 0) {
    for (const id of orphans) await blobs.discard(id);
    if (orphans.length > 0) log(`removed ${orphans.length} unfinished uploads`);
    return;
  }
  if (recovery.damagedLines > 0)
    log(`the journal has ${recovery.damagedLines} damaged lines; a copy is kept beside it`);
  const aside = join(folder, `unclaimed-${Date.now()}`);
  for (const id of orphans) await blobs.setAside(id, aside);
  if (orphans.length > 0) log(`moved ${orphans.length} blobs that the journal does not know to ${aside}`);
}
