/** Downloads one file over HTTP, going on where a broken connection stopped. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 300;

/** The server answered with something else than the file. */
export class HttpStatusError extends Error {
  readonly status: number;

  constructor(url: string, status: number) {
    super(`${url} answered ${status}`);
    this.name = 'HttpStatusError';
    this.status = status;
  }
}

/** Who wants something fetched: hears of it, and may no longer want it. */
export interface Fetching {
  /** Called with the number of bytes that have arrived since the last call. */
  onBytes: (count: number) => void;
  signal?: AbortSignal | undefined;
}

export interface Download extends Fetching {
  url: string;
  /** The file to write; it must not exist. */
  to: string;
  sizeBytes: number;
}

/**
 * Resolves when `sizeBytes` have arrived; what they are is for the caller to check. Rejects
 * with an HttpStatusError at once for an answer that trying again would not change, and
 * with the last failure after five attempts.
 */
export async function download(request: Download): Promise<void> {
  const file = await open(request.to, 'wx');
  try {
    await downloadInto(file, request);
  } finally {
    await file.close();
  }
}

async function downloadInto(file: FileHandle, { url, sizeBytes, onBytes, signal }: Download): Promise<void> {
  let received = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      for await (const chunk of bytesFrom(url, received, signal)) {
        if (received + chunk.length > sizeBytes) throw new Error(`${url} is longer than ${sizeBytes} bytes`);
        await write(file, chunk);
        received += chunk.length;
        onBytes(chunk.length);
      }
      if (received === sizeBytes) return;
      throw new Error(`${url} ended after ${received} of ${sizeBytes} bytes`);
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt === ATTEMPTS || (error instanceof HttpStatusError && !mayPass(error.status))) throw error;
    }
    await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1), undefined, signal ? { signal } : {});
  }
}

/** `sha512-` and base64, as npm's lockfiles write it. */
export async function integrityOf(file: string): Promise<string> {
  const hash = createHash('sha512');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return `sha512-${hash.digest('base64')}`;
}

/** The file's bytes from `start` on, also from servers that know no ranges. */
async function* bytesFrom(url: string, start: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const response = await fetch(url, {
    headers: start > 0 ? { range: `bytes=${start}-` } : {},
    ...(signal ? { signal } : {}),
  });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw new HttpStatusError(url, response.status);
  }
  let toSkip = response.status === 206 ? 0 : start;
  for await (const chunk of response.body) {
    const skipped = Math.min(toSkip, chunk.length);
    toSkip -= skipped;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
}

async function write(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let done = 0; done < chunk.length; ) done += (await file.write(chunk, done)).bytesWritten;
}

function mayPass(status: number): boolean {
  return status >= 500 || status === 408 || status === 429;
}
