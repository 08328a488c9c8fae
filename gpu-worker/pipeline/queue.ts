/** A queue between one producer and one consumer that holds back the producer by size. */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #maxBytes: number;
  readonly #sizeOf: (item: T) => number;
  #items: T[] = [];
  #bytes = 0;
  #state: 'open' | 'ended' | 'closed' = 'open';
  #changed = Promise.withResolvers<void>();

  constructor(maxBytes: number, sizeOf: (item: T) => number) {
    this.#maxBytes = maxBytes;
    this.#sizeOf = sizeOf;
  }

  /**
   * Waits while the queue is full; an item larger than the whole queue passes when it is
   * empty. False when the consumer has gone: the item was not taken.
   */
  async push(item: T): Promise<boolean> {
    const size = this.#sizeOf(item);
    while (this.#state === 'open' && this.#items.length > 0 && this.#bytes + size > this.#maxBytes) {
      await this.#changed.promise;
    }
    if (this.#state !== 'open') return false;
    this.#items.push(item);
    this.#bytes += size;
    this.#notify();
    return true;
  }

  /** What was pushed is still consumed, then the iteration ends. */
  end(): void {
    if (this.#state === 'open') this.#state = 'ended';
    this.#notify();
  }

  /** The consumer goes; what was pushed is dropped. */
  close(): void {
    this.#state = 'closed';
    this.#items = [];
    this.#bytes = 0;
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) {
        this.#bytes -= this.#sizeOf(item);
        this.#notify();
        yield item;
      } else if (this.#state === 'open') await this.#changed.promise;
      else return;
    }
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
