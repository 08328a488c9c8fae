/**
 * Where the picture is black, and where it stands still: for 2 s or longer. A picture is shown until the
 * next one comes, and the last one to the end of the medium: so a film that stores no pictures while
 * nothing moves, as screen recorders do, stands still too.
 *
 * Whether it stands still is told by the first picture of the stretch, not by the one before: what
 * changes slowly, as a fade does, changes. Two pictures that stand still one after the other are two
 * stretches: a millisecond is left out between them.
 */
import type { Frame } from '../analyzer.ts';
import { isBlack, isSame, lumaOf } from './picture.ts';
import { Stretches } from './stretches.ts';

const minMs = 2_000;
const changeMs = 1;

export class BlankPictures {
  readonly black: Stretches;
  readonly freeze: Stretches;
  /** The first picture of the present stretch. */
  #first: Uint8Array | null = null;
  /** Memory for the next one. */
  #spare: Uint8Array | null = null;
  #seenMs: number;

  /** @param goesOn where what an earlier session has found goes on, or null */
  constructor(fromMs: number, goesOn: { black: number | null; freeze: number | null }) {
    this.black = new Stretches(minMs, goesOn.black);
    this.freeze = new Stretches(minMs, goesOn.freeze);
    this.#seenMs = fromMs;
  }

  see(frame: Frame): void {
    const { tMs } = frame;
    const luma = lumaOf(frame, this.#spare);
    this.#spare = luma;
    if (isBlack(luma)) this.black.begin(tMs);
    else this.black.end(tMs);
    const isStill = this.#first !== null && isSame(this.#first, luma);
    if (!isStill) {
      if (this.#first) this.freeze.end(tMs, changeMs);
      this.freeze.begin(tMs);
      this.#spare = this.#first;
      this.#first = luma;
    }
    this.#seenMs = tMs;
  }

  /** No more pictures come. @returns where the last one ends */
  end(durationMs: number): number {
    const endMs = Math.max(durationMs, this.#seenMs);
    this.black.end(endMs);
    this.freeze.end(endMs);
    return endMs;
  }
}
