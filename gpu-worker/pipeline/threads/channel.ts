/**
 * Calls between two threads, each of which may call the other: a number for each call, an answer or
 * an error with the same number. What is passed is copied (structured clone), so neither side sees
 * the other's later changes.
 */
import type { Transferable } from 'node:worker_threads';

/** What one side can be asked for: one object in, anything that can be cloned out. */
export type Methods = Record<string, (given: never) => unknown>;

/** Of a MessagePort, a Worker and `parentPort`, what is needed here. */
export interface Port {
  postMessage(message: unknown, transfer?: readonly Transferable[]): void;
  on(event: 'message', listener: (message: Message) => void): unknown;
}

type Message =
  | { call: number; method: string; given: unknown }
  | { answerTo: number; value: unknown }
  | { answerTo: number; error: unknown };

interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export interface Channel<Theirs extends Methods> {
  /** @throws what the other side threw, as an Error of the same message; or what `close` was given. */
  call<Name extends keyof Theirs & string>(
    method: Name,
    given: Parameters<Theirs[Name]>[0],
    transfer?: readonly Transferable[],
  ): Promise<Awaited<ReturnType<Theirs[Name]>>>;
  /** The other side is gone: whatever waits for it fails, and so does every later call. */
  close(error: Error): void;
}

/** @param onBusy hears whether anything is waited for, whenever that changes. */
export function openChannel<Ours extends Methods, Theirs extends Methods>(
  port: Port,
  ours: Ours,
  onBusy: (isBusy: boolean) => void = () => {},
): Channel<Theirs> {
  const pending = new Map<number, Pending>();
  let calls = 0;
  let closed: Error | null = null;

  function settle(call: number): Pending | undefined {
    const found = pending.get(call);
    if (pending.delete(call) && pending.size === 0) onBusy(false);
    return found;
  }

  port.on('message', async (message) => {
    if ('answerTo' in message) {
      const waiting = settle(message.answerTo);
      if ('error' in message) waiting?.reject(message.error);
      else waiting?.resolve(message.value);
      return;
    }
    const answerTo = message.call;
    try {
      port.postMessage({ answerTo, value: await ours[message.method]!(message.given as never) });
    } catch (error) {
      port.postMessage({ answerTo, error: error instanceof Error ? error : new Error(String(error)) });
    }
  });

  return {
    call(method, given, transfer = []) {
      if (closed) return Promise.reject(closed);
      return new Promise((resolve, reject) => {
        const call = ++calls;
        pending.set(call, { resolve: resolve as (value: unknown) => void, reject });
        if (pending.size === 1) onBusy(true);
        try {
          port.postMessage({ call, method, given }, transfer);
        } catch (error) {
          // It holds something that cannot be copied.
          settle(call)?.reject(error);
        }
      });
    },
    close(error) {
      closed = error;
      for (const call of [...pending.keys()]) settle(call)?.reject(error);
    },
  };
}
