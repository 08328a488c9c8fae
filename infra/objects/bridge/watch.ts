/**
 * Finds new objects of a store that tells nobody of them, by listing the bucket. What was published
 * before the program started is published again: submit-job makes nothing of it.
 *
 * With fewer than 1000 objects below each prefix a look is two requests: 720 an hour at every 10 s.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../../../functions/core/ids.ts';
import { inboxPrefix, uploadsPrefix } from '../prefixes.ts';
import { type ListedObject, messageOfListed } from './event.ts';
import type { EventPublisher } from './publisher.ts';

/** Objects below one prefix that are looked at: some 15 MB of memory, and 100 requests a look. */
const MOST_OBJECTS = 100_000;
/**
 * Told of in one event: submit-job looks at eight at a time and has 55 s. With the longest keys, 1024 bytes that
 * are all escaped, 176 KiB: brokers take 256 KiB.
 */
const MOST_IN_ONE_EVENT = 50;

interface WatchedBucket {
  name: string;
  /** In the order of their keys. */
  list(prefix: string, startAfter?: string): AsyncIterable<ListedObject>;
}

export interface WatchOptions {
  bucket: WatchedBucket;
  region: string;
  /** Nothing is uploaded for a job that is older. */
  uploadExpiryHours: number;
  publisher: EventPublisher;
  log: (line: string) => void;
}

/** What a watcher has published, by prefix: the ETag of each key. */
export type Seen = Map<string, Map<string, string>>;

/**
 * Looks once and publishes what is new or has other content than when it was seen last.
 *
 * @param seen is changed: what was published is in it, and what is gone from the bucket no more
 * @returns how many objects were new
 * @throws where the store or the broker does not answer: what was not published is new the next time
 */
export async function lookOnce(options: WatchOptions, seen: Seen, nowMs: number): Promise<number> {
  const oldestJob = newId(nowMs - (options.uploadExpiryHours + 1) * 3_600_000, new Uint8Array(16));
  const fresh = await lookBelow(options, seen, uploadsPrefix, `${uploadsPrefix}${oldestJob}`, nowMs);
  return fresh + (await lookBelow(options, seen, inboxPrefix, '', nowMs));
}

async function lookBelow(
  { bucket, region, publisher, log }: WatchOptions,
  seen: Seen,
  prefix: string,
  startAfter: string,
  nowMs: number,
): Promise<number> {
  const before = seen.get(prefix) ?? new Map<string, string>();
  const wasFull = before.size === MOST_OBJECTS;
  seen.set(prefix, before);
  const listed = new Map<string, string>();
  let fresh: ListedObject[] = [];
  let count = 0;
  const publish = async () => {
    if (fresh.length === 0) return;
    await publisher.publish(messageOfListed(fresh, { bucket: bucket.name, region, atMs: nowMs }));
    for (const { key, etag } of fresh) before.set(key, etag);
    count += fresh.length;
    fresh = [];
  };
  for await (const object of bucket.list(prefix, startAfter)) {
    if (listed.size === MOST_OBJECTS) {
      if (!wasFull) log(`more than ${MOST_OBJECTS} objects below ${prefix}: the rest is left to the sweep`);
      break;
    }
    listed.set(object.key, object.etag);
    if (before.get(object.key) === object.etag) continue;
    fresh.push(object);
    if (fresh.length === MOST_IN_ONE_EVENT) await publish();
  }
  await publish();
  seen.set(prefix, listed);
  return count;
}

/** Looks at every so many seconds until the signal; faults are told of once and passed over. */
export async function keepWatching(
  options: WatchOptions & { everySeconds: number; signal: AbortSignal },
): Promise<void> {
  const seen: Seen = new Map();
  let lastFault = '';
  while (!options.signal.aborted) {
    try {
      await lookOnce(options, seen, Date.now());
      lastFault = '';
    } catch (error) {
      const fault = error instanceof Error ? error.message : String(error);
      if (fault !== lastFault) options.log(`could not look, and tries again: ${fault}`);
      lastFault = fault;
    }
    await sleep(options.everySeconds * 1000, undefined, { signal: options.signal }).catch(() => undefined);
  }
}
