/**
 * Packs voiced stretches into windows. Whisper always listens to 30 s, and takes as long for a
 * single word: so stretches are put one behind the other, without the silence between them, until
 * a window is full. Times in a window lead back to the medium.
 *
 * A window is closed where the next stretch does not fit, or where it spans a minute of the
 * medium, so that something can be saved now and then. Both follow from the stretches alone: a job
 * that is resumed where a window begins finds the same windows. Pure.
 */
import { SAMPLES_PER_MS, type VoicedStretch } from './voiced-sound.ts';

/** A second less than Whisper hears: with some silence behind it, it knows that all was said. */
const LONGEST_SAMPLES = 29_000 * SAMPLES_PER_MS;
const LONGEST_SPAN = 60_000 * SAMPLES_PER_MS;

/** Sound of the medium as it lies in a window; in samples. */
interface Piece {
  /** In the medium. */
  from: number;
  /** In the window. */
  at: number;
  length: number;
}

export interface VoicedWindow {
  /** Where it begins in the medium, and where the next one does. */
  from: number;
  to: number;
  sound: Float32Array;
  pieces: Piece[];
  speechMs: number;
}

export class WindowPacker {
  #stretches: VoicedStretch[] = [];
  #length = 0;

  /** Where the window begins that is being filled, or null where nothing was put into it. */
  get from(): number | null {
    return this.#stretches[0]?.from ?? null;
  }

  /** Takes the next stretch; returns the windows, none to two, that are closed by it. */
  add(stretch: VoicedStretch): VoicedWindow[] {
    const closed: VoicedWindow[] = [];
    const length = stretch.sound?.samples.length ?? 0;
    if (this.#length + length > LONGEST_SAMPLES) closed.push(...this.finish());
    // Silence before the first speech belongs to no window.
    if (this.#stretches.length > 0 || stretch.sound) {
      this.#stretches.push(stretch);
      this.#length += length;
    }
    if (this.from !== null && stretch.to - this.from >= LONGEST_SPAN) closed.push(...this.finish());
    return closed;
  }

  /** Closes the window that is being filled. */
  finish(): VoicedWindow[] {
    const stretches = this.#stretches;
    this.#stretches = [];
    const sound = new Float32Array(this.#length);
    this.#length = 0;
    if (stretches.length === 0) return [];
    const pieces: Piece[] = [];
    let at = 0;
    let speechMs = 0;
    for (const { sound: voiced } of stretches) {
      if (!voiced) continue;
      sound.set(voiced.samples, at);
      pieces.push({ from: voiced.from, at, length: voiced.samples.length });
      at += voiced.samples.length;
      speechMs += voiced.speechMs;
    }
    return [{ from: stretches[0]!.from, to: stretches.at(-1)!.to, sound, pieces, speechMs }];
  }
}

interface Timed {
  start: number;
  end: number;
}

const SAMPLES_PER_SECOND = 1_000 * SAMPLES_PER_MS;
/** A word of no length is none; 20 ms is what Whisper can tell apart. */
const SHORTEST_MS = 20;

/**
 * Times in the medium, in whole milliseconds: in order, without overlap, inside the window. A word
 * lies in one piece of the sound, the one where its middle is.
 * @param words in order, with seconds from the start of the window.
 */
export function placeInMedium(
  words: readonly Timed[],
  window: VoicedWindow,
): { startMs: number; endMs: number }[] {
  let earliestMs = Math.ceil(window.from / SAMPLES_PER_MS);
  const lastMs = Math.floor(window.to / SAMPLES_PER_MS);
  const shortestMs = Math.min(SHORTEST_MS, Math.floor((lastMs - earliestMs) / words.length));
  return words.map(({ start, end }, i) => {
    const middle = ((start + end) / 2) * SAMPLES_PER_SECOND;
    const { from, at, length } = window.pieces.findLast((piece) => piece.at <= middle) ?? window.pieces[0]!;
    const msOf = (seconds: number) => {
      const inPiece = Math.min(Math.max(seconds * SAMPLES_PER_SECOND - at, 0), length);
      return Math.round((from + inPiece) / SAMPLES_PER_MS);
    };
    // The words behind it need their time too.
    const latestMs = lastMs - (words.length - i) * shortestMs;
    const startMs = Math.max(earliestMs, Math.min(msOf(start), latestMs));
    const endMs = Math.max(startMs + shortestMs, Math.min(msOf(end), latestMs + shortestMs));
    earliestMs = endMs;
    return { startMs, endMs };
  });
}
