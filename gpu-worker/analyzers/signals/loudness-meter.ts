/**
 * How loud the sound is, every 100 ms: the momentary loudness of ITU-R BS.1770-5 and EBU Tech 3341,
 * that of the last 400 ms, K-weighted (k-weighting.ts), and the highest sample.
 *
 * It hears what the pipeline has: 16 kHz, mixed to mono by FFmpeg (left and right times 0.707). So the
 * figure is a little low. What lies above 8 kHz does not count: of five recordings with a microphone the
 * integrated loudness came out 0.0, -0.1, 0.7, 0.8 and 2.3 LU below that of FFmpeg's `ebur128` on the
 * whole file, the last one a voice with much hiss. And the standard adds the power of channels where a mix
 * adds their waves: what is the same on both sides agrees, what differs loses up to 3 LU. On the same 16 kHz
 * the two agree within 0.1 LU. The peak is that of the samples of the mix, not a true peak.
 *
 * Steps begin at multiples of 100 ms of the medium. Whoever goes on elsewhere has to hear half a second
 * that was measured before: three steps for the first 400 ms, and two in which the filters settle (their
 * slowest time constant is 4 ms).
 */
import type { LoudnessRow } from '../../../functions/core/results/rows.ts';
import { KWeighting } from './k-weighting.ts';

const sampleRate = 16_000;
const samplesPerMs = sampleRate / 1000;
const stepMs = 100;
const stepSamples = stepMs * samplesPerMs;
const stepsPerBlock = 4;
const againMs = 500;

/** So that a sine of 997 Hz at full scale has -3.01 LUFS (BS.1770-5, annex 1). */
const offsetLu = -0.691;
/** Absolute gate of BS.1770-5. */
const silentLufs = -70;

export class LoudnessMeter {
  readonly #filter = new KWeighting(sampleRate);
  /** Steps that begin before it were measured. */
  #measuredToMs: number;
  /** Number of the next sample, from the start of the medium; null before the first. */
  #next: number | null = null;
  /** Of the present step. */
  #energy = 0;
  #peak = 0;
  #isWhole = false;
  /** Of the last whole steps in a row, at most four, the newest last. */
  #energies: number[] = [];
  /** Where the steps begin that were not yet taken. */
  #keptFromMs = 0;
  #momentaryLufs: (number | null)[] = [];
  #peaks: number[] = [];

  /** @param measuredToMs up to where an earlier session has measured, or 0 */
  constructor(measuredToMs: number) {
    this.#measuredToMs = measuredToMs;
  }

  /** @param samples follow those before them without a gap */
  hear(samples: Float32Array, startMs: number): void {
    let at = this.#next;
    if (at === null) {
      at = Math.round(startMs * samplesPerMs);
      this.#isWhole = at % stepSamples === 0;
    }
    for (let done = 0; done < samples.length; ) {
      const count = Math.min(samples.length - done, stepSamples - (at % stepSamples));
      this.#energy += this.#filter.energyOf(samples, done, done + count);
      for (let i = done; i < done + count; i++) {
        const level = Math.abs(samples[i]!);
        if (level > this.#peak) this.#peak = level;
      }
      done += count;
      at += count;
      if (at % stepSamples === 0) this.#closeStep(at / samplesPerMs - stepMs, at / samplesPerMs);
    }
    this.#next = at;
  }

  /** The sound ends here: its last step is shorter, and has no loudness of its own. */
  end(): void {
    const at = this.#next ?? 0;
    if (at % stepSamples === 0) return;
    this.#isWhole = false;
    this.#closeStep(Math.floor(at / stepSamples) * stepMs, Math.ceil(at / samplesPerMs));
  }

  /** From where whoever goes on has to hear. */
  get neededFromMs(): number {
    return Math.max(0, Math.floor((this.#next ?? 0) / stepSamples) * stepMs - againMs);
  }

  /** What was measured since the last call, as at most one row. */
  take(): LoudnessRow[] {
    if (this.#peaks.length === 0) return [];
    const row: LoudnessRow = {
      ...{ kind: 'loudness', startMs: this.#keptFromMs, endMs: this.#measuredToMs, stepMs },
      ...{ momentaryLufs: this.#momentaryLufs, peaks: this.#peaks },
    };
    this.#momentaryLufs = [];
    this.#peaks = [];
    return [row];
  }

  #closeStep(startMs: number, endMs: number): void {
    if (this.#isWhole) this.#energies.push(this.#energy);
    else this.#energies = [];
    if (this.#energies.length > stepsPerBlock) this.#energies.shift();
    if (startMs >= this.#measuredToMs) {
      if (this.#peaks.length === 0) this.#keptFromMs = startMs;
      this.#momentaryLufs.push(this.#momentary());
      this.#peaks.push(Math.round(Math.min(this.#peak, 1) * 10_000) / 10_000);
      this.#measuredToMs = endMs;
    }
    this.#energy = 0;
    this.#peak = 0;
    this.#isWhole = true;
  }

  #momentary(): number | null {
    if (this.#energies.length < stepsPerBlock) return null;
    const sum = this.#energies.reduce((total, energy) => total + energy, 0);
    const lufs = offsetLu + 10 * Math.log10(sum / (stepsPerBlock * stepSamples));
    return lufs > silentLufs ? Math.round(lufs * 100) / 100 : null;
  }
}
