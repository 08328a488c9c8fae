import type { Checksum } from '../protocol/checksums.ts';
import type { Blob } from './blobs.ts';
import { SortedMap } from './sorted-map.ts';

/**
 * What the server knows: buckets, objects, unfinished uploads and events not yet delivered. It lives in memory
 * (about half a kilobyte an object) and changes only by `apply`, with changes that the journal keeps. Every change
 * sets a whole value, so applying one twice is the same as applying it once; values are replaced, never modified.
 */

export interface Tag {
  key: string;
  value: string;
}

/** What a client says about an object beside its bytes. */
export interface Description {
  contentType: string;
  /** Header names (lower case) with the values sent back on reading: `x-amz-meta-*`, `cache-control` and the like. */
  metadata: Record<string, string>;
  tags: Tag[];
}

export interface StoredObject extends Description {
  etag: string;
  sizeBytes: number;
  modifiedAt: number;
  blobs: Blob[];
  checksum?: Checksum;
  /** Of an object made by a multipart upload: lets a repeated completion be answered as the first was. */
  uploadId?: string;
}

export interface Part {
  etag: string;
  blob: Blob;
  uploadedAt: number;
}

export interface UploadStart extends Description {
  key: string;
  startedAt: number;
}

export interface Upload extends UploadStart {
  parts: ReadonlyMap<number, Part>;
}

export interface LifecycleRule {
  id: string;
  enabled: boolean;
  prefix: string;
  /** Delete objects of that age, whole days. */
  expireAfterDays?: number;
  /** Delete unfinished uploads of that age, whole days. */
  abortUploadsAfterDays?: number;
}

export interface NotificationRule {
  id: string;
  arn: string;
  events: string[];
  prefix: string;
  suffix: string;
}

export interface BucketSettings {
  createdAt: number;
  lifecycle: LifecycleRule[];
  notifications: NotificationRule[];
}

export interface Bucket extends BucketSettings {
  objects: SortedMap<StoredObject>;
  uploads: Map<string, Upload>;
}

export type Change =
  | { type: 'bucket'; bucket: string; settings: BucketSettings }
  | { type: 'bucket-deleted'; bucket: string }
  | { type: 'object'; bucket: string; key: string; object: StoredObject }
  | { type: 'object-deleted'; bucket: string; key: string }
  | { type: 'upload'; bucket: string; uploadId: string; start: UploadStart }
  | { type: 'part'; bucket: string; uploadId: string; partNumber: number; part: Part }
  | { type: 'upload-completed'; bucket: string; uploadId: string; key: string; object: StoredObject }
  | { type: 'upload-aborted'; bucket: string; uploadId: string }
  | { type: 'event'; sequence: number; message: string }
  | { type: 'event-sent'; sequence: number };

/** Blobs that a change gained and lost a holder for. */
export interface Holding {
  gained: Blob[];
  lost: Blob[];
}

const partBlobs = (upload: Upload | undefined): Blob[] =>
  upload ? [...upload.parts.values()].map((part) => part.blob) : [];

export class Catalog {
  readonly buckets = new Map<string, Bucket>();
  /** Events waiting for delivery, by sequence number, oldest first. */
  readonly events = new Map<number, string>();
  #lastSequence = 0;

  nextSequence(): number {
    this.#lastSequence += 1;
    return this.#lastSequence;
  }

  /** Carries a change out. A change to a bucket or upload that is gone does nothing. */
  apply(change: Change): Holding {
    switch (change.type) {
      case 'event':
        this.events.set(change.sequence, change.message);
        this.#lastSequence = Math.max(this.#lastSequence, change.sequence);
        return { gained: [], lost: [] };
      case 'event-sent':
        this.events.delete(change.sequence);
        return { gained: [], lost: [] };
      case 'bucket': {
        const present = this.buckets.get(change.bucket);
        const content = {
          objects: present?.objects ?? new SortedMap(),
          uploads: present?.uploads ?? new Map(),
        };
        this.buckets.set(change.bucket, { ...change.settings, ...content });
        return { gained: [], lost: [] };
      }
    }
    const bucket = this.buckets.get(change.bucket);
    if (!bucket) return { gained: [], lost: [] };
    switch (change.type) {
      case 'bucket-deleted': {
        this.buckets.delete(change.bucket);
        const objects = [...bucket.objects.entries()].flatMap(([, object]) => object.blobs);
        return { gained: [], lost: [...objects, ...[...bucket.uploads.values()].flatMap(partBlobs)] };
      }
      case 'object':
        return replaceObject(bucket, change.key, change.object);
      case 'object-deleted': {
        const lost = bucket.objects.get(change.key)?.blobs ?? [];
        bucket.objects.delete(change.key);
        return { gained: [], lost };
      }
      case 'upload': {
        const parts = bucket.uploads.get(change.uploadId)?.parts ?? new Map();
        bucket.uploads.set(change.uploadId, { ...change.start, parts });
        return { gained: [], lost: [] };
      }
      case 'part': {
        const upload = bucket.uploads.get(change.uploadId);
        if (!upload) return { gained: [], lost: [] };
        const replaced = upload.parts.get(change.partNumber);
        const parts = new Map(upload.parts).set(change.partNumber, change.part);
        bucket.uploads.set(change.uploadId, { ...upload, parts });
        return { gained: [change.part.blob], lost: replaced ? [replaced.blob] : [] };
      }
      case 'upload-completed': {
        const parts = partBlobs(bucket.uploads.get(change.uploadId));
        bucket.uploads.delete(change.uploadId);
        const { gained, lost } = replaceObject(bucket, change.key, change.object);
        return { gained, lost: [...lost, ...parts] };
      }
      case 'upload-aborted': {
        const lost = partBlobs(bucket.uploads.get(change.uploadId));
        bucket.uploads.delete(change.uploadId);
        return { gained: [], lost };
      }
    }
  }

  /** The changes that rebuild the present state, objects in key order. */
  snapshot(): Change[] {
    const changes: Change[] = [];
    for (const [bucket, { objects, uploads, createdAt, lifecycle, notifications }] of this.buckets) {
      changes.push({ type: 'bucket', bucket, settings: { createdAt, lifecycle, notifications } });
      for (const [key, object] of objects.entries()) changes.push({ type: 'object', bucket, key, object });
      for (const [uploadId, { parts, ...start }] of uploads) {
        changes.push({ type: 'upload', bucket, uploadId, start });
        for (const [partNumber, part] of parts)
          changes.push({ type: 'part', bucket, uploadId, partNumber, part });
      }
    }
    for (const [sequence, message] of this.events) changes.push({ type: 'event', sequence, message });
    return changes;
  }

  /** Every blob once for each of its holders. */
  heldBlobs(): Blob[] {
    return [...this.buckets.values()].flatMap(({ objects, uploads }) => [
      ...[...objects.entries()].flatMap(([, object]) => object.blobs),
      ...[...uploads.values()].flatMap(partBlobs),
    ]);
  }
}

function replaceObject(bucket: Bucket, key: string, object: StoredObject): Holding {
  const lost = bucket.objects.get(key)?.blobs ?? [];
  bucket.objects.set(key, object);
  return { gained: object.blobs, lost };
}
