/**
 * Silero VAD v6: how likely each 32 ms of sound hold speech.
 *
 * The model is recurrent: it wants consecutive windows of 512 samples at 16 kHz, each
 * preceded by the 64 samples before it, and its own state back.
 * Source: https://github.com/snakers4/silero-vad (utils_vad.py, OnnxWrapper).
 */
import { type InferenceSession, Tensor } from 'onnxruntime-node';

export const WINDOW_SAMPLES = 512;
export const WINDOW_MS = 32;
const CONTEXT_SAMPLES = 64;
const STATE_SHAPE = [2, 1, 128];

export class SileroVad {
  readonly #session: InferenceSession;
  readonly #sampleRate = new Tensor('int64', BigInt64Array.of(16_000n), []);
  #state = zeroState();
  #context = new Float32Array(CONTEXT_SAMPLES);

  constructor(session: InferenceSession) {
    this.#session = session;
  }

  /** Forgets what was heard, as at the start of a medium. */
  reset(): void {
    this.#state = zeroState();
    this.#context = new Float32Array(CONTEXT_SAMPLES);
  }

  /** Probability 0..1 that the next 512 samples hold speech. */
  async probability(window: Float32Array): Promise<number> {
    const input = new Float32Array(CONTEXT_SAMPLES + WINDOW_SAMPLES);
    input.set(this.#context);
    input.set(window, CONTEXT_SAMPLES);
    this.#context = window.slice(-CONTEXT_SAMPLES);
    const out = await this.#session.run({
      input: new Tensor('float32', input, [1, input.length]),
      state: this.#state,
      sr: this.#sampleRate,
    });
    this.#state = out.stateN as Tensor;
    return Number(out.output?.data[0]);
  }
}

function zeroState(): Tensor {
  return new Tensor('float32', new Float32Array(256), STATE_SHAPE);
}
