/**
 * Turns a stream of sound into utterances: Silero finds where somebody speaks, Vosk hears
 * only that. Memory is bounded by a third of a second of sound and Vosk's decoding of one stretch.
 */
import { type SileroVad, WINDOW_SAMPLES } from './silero.ts';
import { advance, heardSpeech, LEAD_WINDOWS, newStretch, overlapWindows, type Stretch } from './stretch.ts';
import type { VoskModel, VoskRecognizer, VoskWord } from './vosk.ts';

const SAMPLES_PER_MS = 16;
/** Vosk computes in chunks of 0.25 s: few calls, and none that takes long. */
const CHUNK_SAMPLES = 4_096;

export interface HeardWord {
  text: string;
  startMs: number;
  endMs: number;
  confidence: number;
}

/** What was said without a pause. Never empty. */
export type Utterance = HeardWord[];

export class SpeechListener {
  readonly #vad: SileroVad;
  readonly #model: VoskModel;
  /** Sound still needed; `#bufferAt` is the medium's sample number of its first sample. */
  #buffer = new Float32Array(0);
  #bufferAt: number;
  /** The next sample for the voice detector, the first of this stretch, and the next for the recognizer. */
  #position: number;
  #stretchAt: number;
  #fedTo = 0;
  #stretch: Stretch = newStretch();
  #recognizer: VoskRecognizer | null = null;
  /** Sample at which the recognizer's own clock is zero. */
  #recognizerAt = 0;
  #ofStretch: VoskWord[][] = [];
  #heard: Utterance[] = [];

  constructor(vad: SileroVad, model: VoskModel, fromMs: number) {
    this.#vad = vad;
    this.#model = model;
    this.#bufferAt = this.#position = this.#stretchAt = fromMs * SAMPLES_PER_MS;
  }

  /** Everything before this time has been heard for good. */
  get finalMs(): number {
    return this.#stretchAt / SAMPLES_PER_MS;
  }

  /** The utterances of closed stretches that were not taken yet. */
  take(): Utterance[] {
    return this.#heard.splice(0);
  }

  /** Hears the samples that follow the ones before. */
  async hear(samples: Float32Array): Promise<void> {
    this.#append(samples);
    while (this.#position + WINDOW_SAMPLES <= this.#bufferAt + this.#buffer.length) {
      const window = this.#sound(this.#position, this.#position + WINDOW_SAMPLES);
      const step = advance(this.#stretch, await this.#vad.probability(window));
      this.#position += WINDOW_SAMPLES;
      if (step === 'open') await this.#openRecognizer();
      if (this.#recognizer && this.#position - this.#fedTo >= CHUNK_SAMPLES) await this.#feed();
      if (step === 'close') {
        await this.#closeStretch(this.#position - overlapWindows(this.#stretch) * WINDOW_SAMPLES);
      }
    }
  }

  /** Hears out what is pending; the medium has no more sound. */
  async finish(): Promise<void> {
    this.#position = this.#bufferAt + this.#buffer.length;
    await this.#closeStretch(this.#position);
  }

  dispose(): void {
    this.#recognizer?.dispose();
    this.#recognizer = null;
  }

  async #openRecognizer(): Promise<void> {
    const leadAt = this.#position - (LEAD_WINDOWS + 1) * WINDOW_SAMPLES;
    this.#recognizerAt = this.#fedTo = Math.max(leadAt, this.#stretchAt);
    this.#recognizer = await this.#model.recognizer();
  }

  async #feed(): Promise<void> {
    if (!this.#recognizer || this.#fedTo === this.#position) return;
    const words = await this.#recognizer.accept(this.#sound(this.#fedTo, this.#position));
    this.#fedTo = this.#position;
    if (words) this.#ofStretch.push(words);
  }

  /** Ends the stretch; the next one begins at `nextAt`, from scratch. */
  async #closeStretch(nextAt: number): Promise<void> {
    if (this.#recognizer) {
      await this.#feed();
      this.#ofStretch.push(await this.#recognizer.finish());
      this.dispose();
      if (heardSpeech(this.#stretch)) this.#keep(nextAt / SAMPLES_PER_MS);
      this.#ofStretch = [];
    }
    this.#stretch = newStretch();
    this.#vad.reset();
    this.#position = this.#stretchAt = nextAt;
  }

  #keep(untilMs: number): void {
    const zeroMs = this.#recognizerAt / SAMPLES_PER_MS;
    const at = (seconds: number) => Math.min(Math.round(zeroMs + seconds * 1_000), Math.floor(untilMs));
    for (const words of this.#ofStretch) {
      if (words.length === 0) continue;
      this.#heard.push(
        words.map(({ word, start, end, conf }) => ({
          text: word,
          startMs: at(start),
          endMs: at(end),
          confidence: Math.min(conf, 1),
        })),
      );
    }
  }

  #sound(from: number, to: number): Float32Array {
    return this.#buffer.subarray(from - this.#bufferAt, to - this.#bufferAt);
  }

  #append(samples: Float32Array): void {
    const lead = this.#position - (LEAD_WINDOWS + 1) * WINDOW_SAMPLES;
    const neededAt = this.#recognizer ? Math.min(lead, this.#fedTo) : lead;
    const kept = this.#buffer.subarray(Math.max(0, neededAt - this.#bufferAt));
    this.#bufferAt += this.#buffer.length - kept.length;
    const buffer = new Float32Array(kept.length + samples.length);
    buffer.set(kept);
    buffer.set(samples, kept.length);
    this.#buffer = buffer;
  }
}
