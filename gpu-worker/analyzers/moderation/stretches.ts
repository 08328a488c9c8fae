/**
 * From scores of single pictures to stretches of time. What lies between two pictures is judged by
 * the mean of both: models err on single pictures, and one that is surely explicit among others that
 * are not is still worth a look, but no certainty. What was decided needs no picture from before it,
 * so that a session that goes on elsewhere decides alike.
 */
import { categoryOf, type ModerationCategory } from '../../../functions/core/results/moderation.ts';

export interface Stretch {
  category: ModerationCategory;
  startMs: number;
  endMs: number;
  /** The highest score in it. */
  score: number;
}

/** A picture that stands longer than this stands alone: it is its own witness. */
const maxApartMs = 2_000;

export class Stretches {
  #last: { tMs: number; score: number } | null = null;
  /** In the order of time, none of which touches the next in the same category. */
  #found: Stretch[] = [];

  /** The next picture. */
  add(tMs: number, score: number): void {
    const last = this.#last;
    if (last) {
      const isStill = tMs - last.tMs > maxApartMs;
      this.#judge(last.tMs, tMs, isStill ? last.score : (last.score + score) / 2);
    }
    this.#last = { tMs, score };
  }

  /** Where what was decided ends; null before the first picture. */
  get decidedMs(): number | null {
    return this.#last?.tMs ?? null;
  }

  /** Hands out, once, what was decided. */
  take(): Stretch[] {
    return this.#found.splice(0);
  }

  /** Decides on the last picture, which is seen until `endMs`. */
  end(endMs: number): void {
    if (this.#last) this.#judge(this.#last.tMs, Math.max(endMs, this.#last.tMs), this.#last.score);
    this.#last = null;
  }

  #judge(startMs: number, endMs: number, score: number): void {
    const category = categoryOf(score);
    if (!category) return;
    const before = this.#found.at(-1);
    if (before?.category === category && before.endMs === startMs) {
      before.endMs = endMs;
      before.score = Math.max(before.score, score);
    } else this.#found.push({ category, startMs, endMs, score });
  }
}
