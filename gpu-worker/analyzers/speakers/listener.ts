/**
 * Cuts a stream of sound into stretches, and says where in each somebody speaks (Silero).
 *
 * The borders are those of transcription (../speech/stretch.ts): nothing is carried over them,
 * so a job that is resumed at one hears the same. Memory is bounded by the sound of one
 * stretch, 3 MB.
 */
import { type SileroVad, WINDOW_MS, WINDOW_SAMPLES } from '../speech/silero.ts';
import { advance, lengths, newStretch, overlapWindows, type Stretch } from '../speech/stretch.ts';

export const SAMPLES_PER_MS = 16;

/** Long enough that a voice comes back within most stretches, short enough for a part every half minute. */
const LENGTHS = lengths(30_000, 45_000);

/** Silero's own defaults. */
const SPEECH_BEGINS = 0.5;
const SPEECH_GOES_ON = 0.35;
const LEAST_PAUSE_WINDOWS = Math.round(300 / WINDOW_MS);
const LEAST_SPEECH_WINDOWS = Math.round(250 / WINDOW_MS);
/** Soft onsets and ends are heard late and left early. */
const PADDING_WINDOWS = Math.round(60 / WINDOW_MS);

export interface Interval {
  startMs: number;
  endMs: number;
}

export interface HeardStretch {
  startMs: number;
  samples: Float32Array;
  /** Where somebody speaks, in the medium's time, in order. */
  speech: Interval[];
}

export class VoiceListener {
  readonly #vad: SileroVad;
  /** Sound from `#stretchAt` on, a sample number of the medium. */
  #buffer = new Float32Array(0);
  #stretchAt: number;
  #position: number;
  #stretch: Stretch = newStretch();
  #probabilities: number[] = [];

  constructor(vad: SileroVad, fromMs: number) {
    this.#vad = vad;
    this.#stretchAt = this.#position = fromMs * SAMPLES_PER_MS;
  }

  /** Everything before this time was in a stretch that is closed. */
  get finalMs(): number {
    return this.#stretchAt / SAMPLES_PER_MS;
  }

  /** Hears the samples that follow the ones before. @returns the stretches that they have closed. */
  async hear(samples: Float32Array): Promise<HeardStretch[]> {
    const closed: HeardStretch[] = [];
    const buffer = new Float32Array(this.#buffer.length + samples.length);
    buffer.set(this.#buffer);
    buffer.set(samples, this.#buffer.length);
    this.#buffer = buffer;
    while (this.#position + WINDOW_SAMPLES <= this.#stretchAt + this.#buffer.length) {
      const from = this.#position - this.#stretchAt;
      const probability = await this.#vad.probability(this.#buffer.subarray(from, from + WINDOW_SAMPLES));
      this.#probabilities.push(probability);
      this.#position += WINDOW_SAMPLES;
      if (advance(this.#stretch, probability, LENGTHS) === 'close') {
        closed.push(this.#close(this.#position - overlapWindows(this.#stretch) * WINDOW_SAMPLES));
      }
    }
    return closed;
  }

  /** What is pending; the medium has no more sound. */
  finish(): HeardStretch {
    return this.#close(this.#stretchAt + this.#buffer.length);
  }

  /** Ends the stretch; the next one begins at `nextAt`, from scratch. */
  #close(nextAt: number): HeardStretch {
    const startMs = this.finalMs;
    const samples = this.#buffer.slice(0, nextAt - this.#stretchAt);
    const endMs = Math.floor(nextAt / SAMPLES_PER_MS);
    const speech = speechIn(this.#probabilities).map((found) => ({
      startMs: startMs + found.startMs,
      endMs: Math.min(startMs + found.endMs, endMs),
    }));
    this.#buffer = this.#buffer.slice(nextAt - this.#stretchAt);
    this.#stretchAt = this.#position = nextAt;
    this.#stretch = newStretch();
    this.#probabilities = [];
    this.#vad.reset();
    return { startMs, samples, speech: speech.filter((found) => found.startMs < found.endMs) };
  }
}

/** Speech from the probability of each 32 ms, with short pauses in it; times from the first of them on. */
export function speechIn(probabilities: readonly number[]): Interval[] {
  const found: { from: number; to: number }[] = [];
  for (const [index, probability] of probabilities.entries()) {
    const last = found.at(-1);
    const goesOn = last?.to === index && probability >= SPEECH_GOES_ON;
    if (!goesOn && probability < SPEECH_BEGINS) continue;
    if (last && index - last.to < LEAST_PAUSE_WINDOWS) last.to = index + 1;
    else found.push({ from: index, to: index + 1 });
  }
  return found
    .filter(({ from, to }) => to - from >= LEAST_SPEECH_WINDOWS)
    .map(({ from, to }) => ({
      startMs: Math.max(0, from - PADDING_WINDOWS) * WINDOW_MS,
      endMs: Math.min(probabilities.length, to + PADDING_WINDOWS) * WINDOW_MS,
    }));
}
