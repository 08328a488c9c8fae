/**
 * Orders keys as S3 does, by their UTF-8 bytes. JavaScript compares UTF-16 units, which differs where surrogates
 * (U+10000 and above) meet U+E000 to U+FFFF; moving the surrogates above the rest gives the order of the bytes.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i += 1) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

const rank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit);

/** A map with keys in S3's order: exact look-ups by hash, pages by binary search. */
export class SortedMap<T> {
  readonly #values = new Map<string, T>();
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: T): void {
    if (!this.#values.has(key)) {
      // A snapshot is read back in order: appending then needs no search.
      const last = this.#keys.at(-1);
      if (last === undefined || compareKeys(last, key) < 0) this.#keys.push(key);
      else this.#keys.splice(this.lowerBound(key), 0, key);
    }
    this.#values.set(key, value);
  }

  delete(key: string): void {
    if (this.#values.delete(key)) this.#keys.splice(this.lowerBound(key), 1);
  }

  /** Position of the first key that is not before `key`. */
  lowerBound(key: string): number {
    return this.#firstNot((candidate) => compareKeys(candidate, key) < 0);
  }

  /** Position of the first key behind all that begin with `prefix`. */
  afterPrefix(prefix: string): number {
    return this.#firstNot((candidate) => candidate.startsWith(prefix) || compareKeys(candidate, prefix) < 0);
  }

  /** Position of the first key for which `before` no longer holds. */
  #firstNot(before: (key: string) => boolean): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.#keys[middle]!)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  keyAt(position: number): string | undefined {
    return this.#keys[position];
  }

  *entries(): Generator<[string, T]> {
    for (const key of this.#keys) yield [key, this.#values.get(key)!];
  }
}
