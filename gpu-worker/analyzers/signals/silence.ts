/**
 * Where there is nothing to hear: no sample above -60 dB of full scale for 2 s or longer, as FFmpeg's
 * `silencedetect` has by default. Only within the sound track: before it begins and after its end
 * there is no sound, and so no silence.
 */
import { type Stretch, Stretches } from './stretches.ts';

const samplesPerMs = 16;
const audible = 0.001;
const minMs = 2_000;

export class SilenceFinder {
  readonly #stretches: Stretches;
  #heardMs: number;

  /** @param goesOnMs where silence goes on that an earlier session has found, or null */
  constructor(fromMs: number, goesOnMs: number | null) {
    this.#stretches = new Stretches(minMs, goesOnMs);
    this.#heardMs = fromMs;
  }

  /** Up to where there was sound to listen to. */
  get heardMs(): number {
    return this.#heardMs;
  }

  /** Where nothing that is still to come changes anything before. */
  get finalMs(): number {
    return this.#stretches.finalMs(this.#heardMs);
  }

  hear(samples: Float32Array, startMs: number): void {
    let isSilent: boolean | null = null;
    for (let i = 0; i < samples.length; i++) {
      // A sample that is no number is none to hear.
      const isSilentHere = !(Math.abs(samples[i]!) >= audible);
      if (isSilentHere === isSilent) continue;
      isSilent = isSilentHere;
      const atMs = startMs + i / samplesPerMs;
      if (isSilent) this.#stretches.begin(atMs);
      else this.#stretches.end(atMs);
    }
    this.#heardMs = startMs + samples.length / samplesPerMs;
  }

  /** No more sound comes. */
  end(): void {
    this.#stretches.end(this.#heardMs);
  }

  /** Silence before `toMs`, which is final, that was not given out before. */
  take(toMs: number): Stretch[] {
    return this.#stretches.take(Math.min(toMs, this.#heardMs), this.#heardMs);
  }
}
