import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Catalog, type Change, type StoredObject } from '../../infra/embedded/s3/storage/catalog.ts';

/** The catalog's laws, for any sequence of changes. */

const settings = { createdAt: 0, lifecycle: [], notifications: [] };

const objectOf = (blobs: StoredObject['blobs']): StoredObject => ({
  contentType: 'a/b',
  metadata: {},
  tags: [],
  etag: 'e',
  sizeBytes: blobs.length,
  modifiedAt: 0,
  blobs,
});

describe('the catalog', () => {
  const name = fc.constantFrom('a', 'b');
  const number = fc.integer({ min: 1, max: 3 });
  let counter = 0;
  const blob = fc.constant(null).map(() => {
    counter += 1;
    return { id: `blob-${counter}`, sizeBytes: 1 };
  });
  const change: fc.Arbitrary<Change> = fc.oneof(
    fc.record({ type: fc.constant('bucket' as const), bucket: name, settings: fc.constant(settings) }),
    fc.record({ type: fc.constant('bucket-deleted' as const), bucket: name }),
    fc.record({
      type: fc.constant('object' as const),
      bucket: name,
      key: name,
      object: blob.map((one) => objectOf([one])),
    }),
    fc.record({ type: fc.constant('object-deleted' as const), bucket: name, key: name }),
    fc.record({
      type: fc.constant('upload' as const),
      bucket: name,
      uploadId: name,
      start: name.map((key) => ({ key, startedAt: 0, contentType: 'a/b', metadata: {}, tags: [] })),
    }),
    fc.record({
      type: fc.constant('part' as const),
      bucket: name,
      uploadId: name,
      partNumber: number,
      part: blob.map((one) => ({ etag: 'e', blob: one, uploadedAt: 0 })),
    }),
    fc.record({ type: fc.constant('upload-aborted' as const), bucket: name, uploadId: name }),
    fc.record({ type: fc.constant('event' as const), sequence: number, message: name }),
    fc.record({ type: fc.constant('event-sent' as const), sequence: number }),
  );
  const replay = (changes: readonly Change[]): Catalog => {
    const catalog = new Catalog();
    for (const entry of changes) catalog.apply(entry);
    return catalog;
  };
  /** Leaves out what no operation commits: changes to buckets and uploads that are not there. */
  const possible = (changes: readonly Change[]): Change[] => {
    const catalog = new Catalog();
    return changes.filter((entry) => {
      if ('bucket' in entry && entry.type !== 'bucket') {
        const present = catalog.buckets.get(entry.bucket);
        if (!present || (entry.type === 'part' && !present.uploads.has(entry.uploadId))) return false;
      }
      catalog.apply(entry);
      return true;
    });
  };
  const sorted = (changes: readonly Change[]): string[] =>
    changes.map((entry) => JSON.stringify(entry)).sort();

  it('is rebuilt by its snapshot, also when entries that the snapshot contains follow it', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }).map(possible), fc.nat(40), (changes, tail) => {
        const snapshot = replay(changes).snapshot();
        expect(sorted(replay(snapshot).snapshot())).toEqual(sorted(snapshot));
        const repeated = changes.slice(Math.max(0, changes.length - tail));
        expect(sorted(replay([...snapshot, ...repeated]).snapshot())).toEqual(sorted(snapshot));
      }),
    );
  });

  it('tells of every blob that gains or loses a holder', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), (changes) => {
        const catalog = new Catalog();
        const holders = new Map<string, number>();
        for (const entry of changes) {
          const { gained, lost } = catalog.apply(entry);
          for (const { id } of gained) holders.set(id, (holders.get(id) ?? 0) + 1);
          for (const { id } of lost) holders.set(id, (holders.get(id) ?? 0) - 1);
        }
        const held = [...holders].filter(([, count]) => count > 0).map(([id]) => id);
        expect(held.sort()).toEqual([...new Set(catalog.heldBlobs().map(({ id }) => id))].sort());
      }),
    );
  });
});
