import { randomBytes } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Crc32c, Crc64Nvme } from '../../infra/embedded/s3/protocol/crc.ts';
import type { Change, StoredObject } from '../../infra/embedded/s3/storage/catalog.ts';
import { coalesce } from '../../infra/embedded/s3/storage/coalesce.ts';
import { ObjectStore } from '../../infra/embedded/s3/storage/store.ts';
import { minioClient, readAll, startOwn, temporaryFolder } from './fixture.ts';

/** How bytes and what is known of them are kept. */

let work: Awaited<ReturnType<typeof temporaryFolder>>;
let lines: string[];

beforeEach(async () => {
  work = await temporaryFolder();
  lines = [];
});
afterEach(() => work.remove());

const open = (journalGrowthBytes?: number): Promise<ObjectStore> =>
  ObjectStore.open({
    folder: work.folder,
    log: (line) => lines.push(line),
    onFatal: (error) => {
      throw error;
    },
    ...(journalGrowthBytes !== undefined && { journalGrowthBytes }),
  });

const settings = { createdAt: 0, lifecycle: [], notifications: [] };
const bucket: Change = { type: 'bucket', bucket: 'b', settings };

function objectOf(blobs: StoredObject['blobs'], etag = 'e'): StoredObject {
  const sizeBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0);
  return { contentType: 'a/b', metadata: {}, tags: [], etag, sizeBytes, modifiedAt: 0, blobs };
}

async function* bytesOf(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

async function put(store: ObjectStore, key: string, text: string): Promise<void> {
  const blob = await store.blobs.write(bytesOf(text));
  await store.commit([{ type: 'object', bucket: 'b', key, object: objectOf([blob], text) }]);
}

const keysOf = (store: ObjectStore): string[] => [...store.bucket('b').objects.entries()].map(([key]) => key);
const blobFiles = (): Promise<string[]> => readdir(join(work.folder, 'blobs'));
const journal = (): string => join(work.folder, 'journal');

describe('the journal', () => {
  it('is read up to a torn end, wherever the tear is', async () => {
    const first = await open();
    await first.commit([bucket]);
    await put(first, 'one', '1');
    await put(first, 'two', '2');
    await first.close();
    const whole = await readFile(journal());
    const before = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
    for (const length of [before + 1, before + 9, before + 40, whole.length - 1]) {
      await writeFile(journal(), whole.subarray(0, length));
      const store = await open();
      expect(keysOf(store)).toEqual(['one']);
      expect(lines.at(-1)).toMatch(/unfinished/);
      await put(store, 'three', '3'); // what follows a torn end is not lost in turn
      await store.close();
      const again = await open();
      expect(keysOf(again)).toEqual(['one', 'three']);
      await again.close();
    }
  });

  it('with damage inside keeps a copy and every blob', async () => {
    const first = await open();
    await first.commit([bucket]);
    for (const name of ['one', 'two', 'three']) await put(first, name, name);
    await first.close();
    const text = (await readFile(journal(), 'utf8')).replace('"key":"two"', '"key":"twx"');
    await writeFile(journal(), text);
    const store = await open();
    expect(keysOf(store)).toEqual(['one', 'three']);
    const names = await readdir(work.folder);
    expect(names.filter((name) => name.startsWith('journal.damaged-'))).toHaveLength(1);
    const aside = names.find((name) => name.startsWith('unclaimed-'))!;
    expect(await readdir(join(work.folder, aside))).toHaveLength(1);
    await store.close();
  });

  it('missing beside blobs sets them aside instead of deleting them', async () => {
    const first = await open();
    await first.commit([bucket]);
    await put(first, 'one', '1');
    await first.close();
    await rm(journal());
    const store = await open();
    expect(await blobFiles()).toEqual([]);
    expect((await readdir(work.folder)).some((name) => name.startsWith('unclaimed-'))).toBe(true);
    await store.close();
  });

  it('stays small while the same keys are written over and over', async () => {
    const store = await open(20_000);
    await store.commit([bucket]);
    await Promise.all(Array.from({ length: 50 }, (_, index) => put(store, `key-${index}`, 'x')));
    for (let round = 0; round < 30; round += 1) {
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => put(store, `key-${index}`, `round ${round}`)),
      );
    }
    const { length } = await readFile(journal());
    const entries = 31 * 50;
    expect(length).toBeLessThan((entries * 200) / 3);
    await store.close();
    const again = await open();
    expect(keysOf(again)).toHaveLength(50);
    expect(again.bucket('b').objects.get('key-7')?.etag).toBe('round 29');
    await again.close();
  });
});

describe('blobs', () => {
  it('that nothing holds are removed at the start', async () => {
    const first = await open();
    await first.commit([bucket]);
    await put(first, 'kept', 'x');
    await first.blobs.write(bytesOf('cut off by a crash'));
    await first.close();
    await appendFile(join(work.folder, 'blobs', 'half-written'), 'x');
    expect(await blobFiles()).toHaveLength(3);
    const store = await open();
    expect(await blobFiles()).toHaveLength(1);
    await store.close();
  });

  it('are shared by copies and go with the last of them', async () => {
    const store = await open();
    await store.commit([bucket]);
    await put(store, 'one', 'x');
    const object = store.bucket('b').objects.get('one')!;
    await store.commit([{ type: 'object', bucket: 'b', key: 'copy', object }]);
    await store.commit([{ type: 'object-deleted', bucket: 'b', key: 'one' }]);
    expect(await blobFiles()).toHaveLength(1);
    await store.commit([{ type: 'object-deleted', bucket: 'b', key: 'copy' }]);
    expect(await blobFiles()).toHaveLength(0);
    await store.close();
  });

  it('of a refused body leave nothing', async () => {
    const store = await open();
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(600_000);
      throw new Error('the client went away');
    };
    await expect(store.blobs.write(failing())).rejects.toThrow('went away');
    expect(await blobFiles()).toHaveLength(0);
    await store.close();
  });

  it('are read to the end by who began before they were replaced or deleted', async () => {
    const server = await startOwn({ folder: join(work.folder, 'server') });
    const client = minioClient(server);
    await client.makeBucket('media');
    const body = randomBytes(24 << 20); // more than the sockets between us hold
    await client.putObject('media', 'replaced', body, body.length);
    await client.putObject('media', 'deleted', body, body.length);
    const readers = await Promise.all(['replaced', 'deleted'].map((key) => client.getObject('media', key)));
    await client.putObject('media', 'replaced', 'new');
    await client.removeObject('media', 'deleted');
    for (const reader of readers) expect((await readAll(reader)).equals(body)).toBe(true);
    expect((await readAll(await client.getObject('media', 'replaced'))).toString()).toBe('new');
    await server.close();
    expect(await readdir(join(work.folder, 'server', 'blobs'))).toHaveLength(1);
  });
});

describe('group commit', () => {
  it('covers each caller by a run that began after the call, and shares runs', async () => {
    let begun = 0;
    let release = (): void => {};
    const run = coalesce(async () => {
      begun += 1;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    const first = run();
    const [second, third] = [run(), run()];
    expect(begun).toBe(1);
    release();
    await first;
    while (begun < 2) await Promise.resolve();
    release();
    await Promise.all([second, third]);
    expect(begun).toBe(2);
  });
});

describe('checksums', () => {
  // The check values of the CRC catalogue: https://reveng.sourceforge.io/crc-catalogue/all.htm
  it.each([
    ['CRC-32C', new Crc32c(), 'e3069283'],
    ['CRC-64/NVME', new Crc64Nvme(), 'ae8b14860a799888'],
  ])('%s', (_, crc, expected) => {
    crc.update(Buffer.from('1234'));
    crc.update(Buffer.from('56789'));
    expect(crc.digest().toString('hex')).toBe(expected);
  });
});

describe('a full disk', () => {
  it('refuses uploads while there is room left to delete', async () => {
    const store = await open();
    await mkdir(join(work.folder, 'x'));
    const free = await store.blobs.freeBytes();
    await expect(store.ensureRoom(free)).rejects.toMatchObject({ code: 'StorageFull', status: 507 });
    await store.close();
  });
});
