/** Lets requests wait until something has happened, as long polls do. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Happening {
  /** Something happened: whoever waits looks again. */
  tell(): void;
  /** What is looked for as soon as it is there; null after some real time, or when all is over. */
  until<T>(ms: number, look: () => T | null): Promise<T | null>;
  /** Nobody waits any more. */
  close(): void;
}

export function openHappening(): Happening {
  let next = Promise.withResolvers<void>();
  let isClosed = false;
  const tell = () => {
    next.resolve();
    next = Promise.withResolvers<void>();
  };
  return {
    tell,
    async until(ms, look) {
      const patience = new AbortController();
      const late = sleep(ms, true, patience).catch(() => true);
      for (let isLate = false; ; ) {
        const found = look();
        if (found !== null || isLate || isClosed) {
          patience.abort();
          return found;
        }
        isLate = await Promise.race([next.promise.then(() => false), late]);
      }
    },
    close() {
      isClosed = true;
      tell();
    },
  };
}
