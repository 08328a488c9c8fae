/**
 * A byte source over HTTP range requests.
 *
 * The object is read in blocks of 1 MiB, each by a request of its own over kept-alive
 * connections, with the next blocks fetched ahead while the present one is used. So a
 * connection that breaks costs one block, an address that was renewed is used from the next
 * block on, and files whose sound and pictures lie far apart need no reconnecting: both
 * places stay in the small cache.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { MediaError } from './errors.ts';
import type { ByteSource } from './source.ts';

export const blockBytes = 2 ** 20;
/** Bounds the memory of one source to 16 MiB. */
const cachedBlocks = 16;
const blocksAhead = 2;

export interface HttpOptions {
  signal?: AbortSignal | undefined;
  /** Pauses before each further try of a block; together about as long as a server restarts. */
  retryDelaysMs?: number[];
  /** A block that takes longer than this is asked for again. */
  blockTimeoutMs?: number;
  /** Hears of each wait for bytes how long it took: with blocks fetched ahead, the network's share of the work. */
  onWaited?: ((waitedMs: number) => void) | undefined;
}

/** What no further try can mend: its own sentence. */
const unreachable = (what: string, cause?: unknown) =>
  new MediaError('media_unreachable', `The file cannot be read from its address (${what}).`, { cause });

/** Throws a MediaError when nothing readable answers at the address. */
export async function openHttp(
  url: string | (() => string | Promise<string>),
  options: HttpOptions = {},
): Promise<ByteSource> {
  const { retryDelaysMs = [250, 500, 1000, 2000, 4000, 8000, 8000], blockTimeoutMs = 30_000 } = options;
  const closed = new AbortController();
  const stop = options.signal ? AbortSignal.any([closed.signal, options.signal]) : closed.signal;
  let sizeBytes = 0;
  let etag: string | null = null;

  async function request(block: number): Promise<Uint8Array> {
    const first = block * blockBytes;
    const headers: Record<string, string> = {
      range: `bytes=${first}-${first + blockBytes - 1}`,
      'accept-encoding': 'identity',
    };
    if (etag !== null) headers['if-match'] = etag;
    const address = typeof url === 'string' ? url : await url();
    const response = await fetch(address, {
      headers,
      redirect: 'error',
      signal: AbortSignal.any([stop, AbortSignal.timeout(blockTimeoutMs)]),
    });
    const contentRange = response.headers.get('content-range') ?? '';
    if (response.status !== 206) {
      await response.body?.cancel();
      if (response.status === 416 && contentRange === 'bytes */0') {
        throw new MediaError('broken_media', 'The file is empty.');
      }
      if (response.status === 412) {
        throw new MediaError('media_changed', 'The file was replaced while it was read.');
      }
      // 403 is tried again: the address may have expired and the next one may be good.
      const isFinal = [200, 404, 410, 416].includes(response.status);
      throw isFinal ? unreachable(`HTTP ${response.status}`) : new Error(`HTTP ${response.status}`);
    }
    const range = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(contentRange);
    if (!range || Number(range[1]) !== first) throw unreachable('HTTP 206 without the range asked for');
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length !== Number(range[2]) - first + 1) throw new Error('the answer ended too early');
    sizeBytes ||= Number(range[3]);
    // A weak validator cannot be used in If-Match (RFC 9110, 13.1.1).
    const validator = response.headers.get('etag');
    if (validator && !validator.startsWith('W/')) etag ??= validator;
    return bytes;
  }

  async function fetchBlock(block: number): Promise<Uint8Array> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await request(block);
      } catch (cause) {
        stop.throwIfAborted();
        if (cause instanceof MediaError) throw cause;
        const delayMs = retryDelaysMs[attempt];
        if (delayMs === undefined) {
          throw unreachable(cause instanceof Error ? cause.message : 'no answer', cause);
        }
        await sleep(delayMs, undefined, { signal: stop });
      }
    }
  }

  /** Insertion order is the order of last use. */
  const cache = new Map<number, Promise<Uint8Array>>();
  function block(index: number): Promise<Uint8Array> {
    const bytes = cache.get(index) ?? fetchBlock(index);
    cache.delete(index);
    cache.set(index, bytes);
    // What failed is not kept; whoever waits for it still sees the failure.
    bytes.catch(() => cache.delete(index));
    for (const oldest of cache.keys()) {
      if (cache.size <= cachedBlocks) break;
      cache.delete(oldest);
    }
    return bytes;
  }

  async function waitFor(bytes: Promise<Uint8Array>): Promise<Uint8Array> {
    const fromMs = performance.now();
    try {
      return await bytes;
    } finally {
      options.onWaited?.(performance.now() - fromMs);
    }
  }

  await waitFor(block(0));
  return {
    sizeBytes,
    async read(offset, length) {
      if (offset >= sizeBytes) return new Uint8Array(0);
      const index = Math.floor(offset / blockBytes);
      const lastBlock = Math.floor((sizeBytes - 1) / blockBytes);
      const wanted = block(index);
      for (let ahead = index + 1; ahead <= Math.min(index + blocksAhead, lastBlock); ahead++) {
        if (!cache.has(ahead)) block(ahead);
      }
      const start = offset - index * blockBytes;
      return (await waitFor(wanted)).subarray(start, start + length);
    },
    async close() {
      closed.abort();
    },
  };
}
