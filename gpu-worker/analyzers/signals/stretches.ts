/**
 * Stretches of time in which something holds, of which only the long ones count: silence, black,
 * frozen pictures. Times of one that lasts are given out piece by piece, so that a part can be saved
 * in the middle of it and whoever goes on there knows that it is long.
 */

export interface Stretch {
  startMs: number;
  endMs: number;
}

export class Stretches {
  readonly #minMs: number;
  /** Where the present one begins; null where it does not hold. */
  #sinceMs: number | null;
  /** The present one is long, by what was given out of it before. */
  #isLong: boolean;
  /** Long ones that have ended, not yet given out. */
  #ended: Stretch[] = [];

  /** @param goesOnMs where one lasts of which an earlier session has given out what lies before, or null */
  constructor(minMs: number, goesOnMs: number | null) {
    this.#minMs = minMs;
    this.#sinceMs = goesOnMs;
    this.#isLong = goesOnMs !== null;
  }

  /** It holds from here on, or goes on. */
  begin(atMs: number): void {
    this.#sinceMs ??= atMs;
  }

  /**
   * It does not hold any more.
   *
   * @param gapMs is left out before it, where another one follows that is not to become one with it
   */
  end(atMs: number, gapMs = 0): void {
    if (this.#sinceMs !== null && this.#isLongAt(atMs)) {
      this.#ended.push({ startMs: this.#sinceMs, endMs: atMs - gapMs });
    }
    this.#sinceMs = null;
    this.#isLong = false;
  }

  /**
   * Where nothing that is still to come changes anything before.
   *
   * @param knownMs up to where it is known whether it holds
   */
  finalMs(knownMs: number): number {
    return this.#sinceMs === null || this.#isLongAt(knownMs) ? knownMs : Math.min(this.#sinceMs, knownMs);
  }

  /** What lies before `toMs`, which is final, and was not given out before; in whole milliseconds. */
  take(toMs: number, knownMs: number): Stretch[] {
    const taken: Stretch[] = [];
    const give = ({ startMs, endMs }: Stretch) => {
      const whole = { startMs: Math.ceil(startMs), endMs: Math.min(Math.floor(endMs), toMs) };
      if (whole.startMs < whole.endMs) taken.push(whole);
    };
    for (const stretch of this.#ended) give(stretch);
    this.#ended = this.#ended
      .filter(({ endMs }) => endMs > toMs)
      .map(({ startMs, endMs }) => ({ startMs: Math.max(startMs, toMs), endMs }));
    if (this.#sinceMs !== null && this.#sinceMs < toMs && this.#isLongAt(knownMs)) {
      give({ startMs: this.#sinceMs, endMs: toMs });
      this.#sinceMs = toMs;
      this.#isLong = true;
    }
    return taken;
  }

  #isLongAt(atMs: number): boolean {
    return this.#isLong || (this.#sinceMs !== null && atMs - this.#sinceMs >= this.#minMs);
  }
}
