/**
 * Looks into a medium in a thread of its own. What reads containers is a library that believes what a
 * file says of itself: a changed number in an index can make it count for minutes (1 of 1,000 films
 * with some bytes changed) or fill the memory. There it holds up nobody else, and is ended when its
 * time is up.
 *
 * A thread takes 40 ms to start, so one that is idle is kept for a while for the next medium.
 */
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { AimaError, type ErrorCode } from '../errors.ts';
import type { MediumFacts } from './probe.ts';
import type { Signature } from './signature.ts';

/** To the thread: a medium to look into, or bytes that it asked for. */
export type ToThread = { medium: Inspected } | { question: number; bytes: Uint8Array };

export interface Inspected {
  sizeBytes: number;
  head: Uint8Array;
  signature: Extract<Signature, { is: 'picture' | 'container' }>;
}

/** From the thread: bytes [start, end) are wanted, or what came of it. `facts` null: too much would have to be read. */
export type FromThread =
  | { question: number; start: number; end: number }
  | { facts: MediumFacts | null }
  | { refused: { code: ErrorCode; detail: string } }
  | { failed: string };

/** An index of 32 MiB and what is made of it. */
const resourceLimits: ResourceLimits = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32 };
const idleMs = 20_000;
/** `npm run build` puts it beside the bundle. */
const program = new URL(
  import.meta.url.endsWith('.ts') ? './inspection-thread.ts' : './inspection-thread.mjs',
  import.meta.url,
);

let spare: { thread: Worker; timer: NodeJS.Timeout; end: () => void } | null = null;

/**
 * @param fetchRange asks the object store for bytes [start, end); what it throws is thrown.
 * @returns null where it could not be told within `limitMs`, memory and the bytes that may be read.
 * @throws AimaError `broken_media`, `unsupported_media`, `media_too_large`.
 */
export async function inspect(
  medium: Inspected,
  fetchRange: (start: number, end: number) => Promise<Uint8Array>,
  limitMs: number,
): Promise<MediumFacts | null> {
  const thread = takeThread();
  const { promise, resolve, reject } = Promise.withResolvers<MediumFacts | null>();
  let isWhole = false;
  const timer = setTimeout(resolve, limitMs, null);
  const onMessage = async (message: FromThread) => {
    if ('question' in message) {
      const { question, start, end } = message;
      const bytes = await fetchRange(start, end).catch(reject);
      if (bytes) thread.postMessage({ question, bytes } satisfies ToThread);
      return;
    }
    isWhole = true;
    if ('facts' in message) resolve(message.facts);
    else if ('refused' in message) reject(new AimaError(message.refused.code, message.refused.detail));
    else reject(new Error(message.failed));
  };
  const onError = (error: Error & { code?: string }) =>
    error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? resolve(null) : reject(error);
  thread.on('message', onMessage);
  thread.once('error', onError);
  thread.postMessage({ medium } satisfies ToThread);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    thread.off('message', onMessage);
    thread.off('error', onError);
    // One that is still at it may never come back.
    if (isWhole) giveThread(thread);
    else endThread(thread);
  }
}

function takeThread(): Worker {
  if (!spare) return new Worker(program, { resourceLimits });
  const { thread, timer, end } = spare;
  spare = null;
  clearTimeout(timer);
  thread.off('error', end);
  thread.ref();
  return thread;
}

function giveThread(thread: Worker): void {
  if (spare) {
    endThread(thread);
    return;
  }
  const end = () => {
    if (spare?.thread === thread) spare = null;
    endThread(thread);
  };
  thread.once('error', end);
  // An idle thread keeps no process alive.
  thread.unref();
  spare = { thread, timer: setTimeout(end, idleMs).unref(), end };
}

function endThread(thread: Worker): void {
  // What it still says of itself while it ends is nobody's.
  thread.on('error', () => {});
  void thread.terminate();
}
