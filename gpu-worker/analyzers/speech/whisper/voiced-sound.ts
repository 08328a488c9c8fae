/**
 * Cuts a stream of sound into stretches (stretch.ts) and keeps the sound of those in which
 * somebody speaks. A stretch is judged from scratch, so that a job that is resumed at a border
 * finds the same ones; memory is bounded by one stretch, 28 s.
 */
import { type SileroVad, WINDOW_SAMPLES } from '../silero.ts';
import {
  advance,
  heardSpeech,
  LEAD_WINDOWS,
  lengths,
  newStretch,
  overlapWindows,
  type Stretch,
} from '../stretch.ts';
import { quietestAt } from './quietest.ts';

export const SAMPLES_PER_MS = 16;

/**
 * From 8 s on each breath is a border: short stretches fill a window of 30 s best, and where they
 * follow each other in one window nothing is lost at the border.
 */
const LENGTHS = lengths(8_000, 28_000);
/** So much behind the last speech still belongs to it: soft ends of words. */
const TAIL_SAMPLES = 400 * SAMPLES_PER_MS;
/** Where nobody draws breath, the quietest moment of so much sound before the end is taken. */
const SEARCHED_SAMPLES = 4_000 * SAMPLES_PER_MS;

/** A stretch of the medium; all places are the medium's sample numbers. */
export interface VoicedStretch {
  from: number;
  /** Where the next one begins. */
  to: number;
  /** What is to be heard of it; null where nobody speaks. */
  sound: { from: number; samples: Float32Array; speechMs: number } | null;
}

export class VoicedSound {
  readonly #vad: SileroVad;
  #buffer = new Float32Array(0);
  #bufferAt: number;
  #position: number;
  #stretchAt: number;
  #stretch: Stretch = newStretch();
  /** Where the sound of this stretch begins, once somebody speaks. */
  #soundAt: number | null = null;

  constructor(vad: SileroVad, fromMs: number) {
    this.#vad = vad;
    this.#bufferAt = this.#position = this.#stretchAt = fromMs * SAMPLES_PER_MS;
  }

  /** Where the stretch begins that has not ended yet; the medium's sample number. */
  get from(): number {
    return this.#stretchAt;
  }

  /** Takes the samples that follow the ones before; returns the stretches that ended in them. */
  async hear(samples: Float32Array): Promise<VoicedStretch[]> {
    this.#append(samples);
    const ended: VoicedStretch[] = [];
    while (this.#position + WINDOW_SAMPLES <= this.#bufferAt + this.#buffer.length) {
      const window = this.#cut(this.#position, this.#position + WINDOW_SAMPLES);
      const step = advance(this.#stretch, await this.#vad.probability(window), LENGTHS);
      this.#position += WINDOW_SAMPLES;
      if (step === 'open') {
        const lead = this.#position - (LEAD_WINDOWS + 1) * WINDOW_SAMPLES;
        this.#soundAt = Math.max(lead, this.#stretchAt);
      }
      if (step === 'close') ended.push(this.#close(this.#borderAt()));
    }
    return ended;
  }

  /** The last stretch; the medium has no more sound. */
  finish(): VoicedStretch {
    this.#position = this.#bufferAt + this.#buffer.length;
    return this.#close(this.#position);
  }

  /** In the middle of a breath; where there is none, at the quietest moment. */
  #borderAt(): number {
    const { silentWindows } = this.#stretch;
    if (silentWindows > 0) {
      const overlap = Math.min(overlapWindows(this.#stretch), Math.ceil(silentWindows / 2));
      return this.#position - overlap * WINDOW_SAMPLES;
    }
    const from = this.#position - SEARCHED_SAMPLES;
    return from + quietestAt(this.#cut(from, this.#position), WINDOW_SAMPLES);
  }

  #close(to: number): VoicedStretch {
    const from = this.#stretchAt;
    const speechEnd = this.#position - this.#stretch.silentWindows * WINDOW_SAMPLES;
    let sound: VoicedStretch['sound'] = null;
    if (this.#soundAt !== null && heardSpeech(this.#stretch)) {
      const samples = this.#cut(this.#soundAt, Math.min(to, speechEnd + TAIL_SAMPLES)).slice();
      const speechMs = (this.#stretch.speechWindows * WINDOW_SAMPLES) / SAMPLES_PER_MS;
      sound = { from: this.#soundAt, samples, speechMs };
    }
    this.#stretch = newStretch();
    this.#vad.reset();
    this.#soundAt = null;
    this.#position = this.#stretchAt = to;
    return { from, to, sound };
  }

  #cut(from: number, to: number): Float32Array {
    return this.#buffer.subarray(Math.max(0, from - this.#bufferAt), to - this.#bufferAt);
  }

  #append(samples: Float32Array): void {
    const lead = this.#position - (LEAD_WINDOWS + 1) * WINDOW_SAMPLES;
    const kept = this.#buffer.subarray(Math.max(0, (this.#soundAt ?? lead) - this.#bufferAt));
    this.#bufferAt += this.#buffer.length - kept.length;
    const buffer = new Float32Array(kept.length + samples.length);
    buffer.set(kept);
    buffer.set(samples, kept.length);
    this.#buffer = buffer;
  }
}
