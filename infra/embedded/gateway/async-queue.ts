/** Tasks to be run soon, in order, a few at a time: bounded in number and bytes, lost with the process. */

export interface AsyncQueueLimits {
  concurrency: number;
  maxTasks: number;
  maxBytes: number;
}

interface Task {
  sizeBytes: number;
  run: () => Promise<void>;
}

export class AsyncQueue {
  readonly #limits: AsyncQueueLimits;
  readonly #waiting: Task[] = [];
  #waitingBytes = 0;
  #running = 0;

  constructor(limits: AsyncQueueLimits) {
    this.#limits = limits;
  }

  /** Takes a task, which must not reject, or says false where the queue is full. */
  offer(sizeBytes: number, run: () => Promise<void>): boolean {
    const { maxTasks, maxBytes } = this.#limits;
    if (this.#waiting.length >= maxTasks || this.#waitingBytes + sizeBytes > maxBytes) return false;
    this.#waiting.push({ sizeBytes, run });
    this.#waitingBytes += sizeBytes;
    this.#advance();
    return true;
  }

  #advance(): void {
    while (this.#running < this.#limits.concurrency) {
      const task = this.#waiting.shift();
      if (task === undefined) return;
      this.#waitingBytes -= task.sizeBytes;
      this.#running += 1;
      task.run().finally(() => {
        this.#running -= 1;
        this.#advance();
      });
    }
  }
}
