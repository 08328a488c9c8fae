/**
 * The analyzer `speakers`: who speaks when. It finds out which turns are of the same voice within
 * one medium, never who somebody is, and needs no words for it, so any language will do. Voices
 * are biometric data; this runs only where it is asked for by name.
 *
 * speakers/listener.ts cuts the sound into stretches and finds speech in them, speakers/encoder.ts
 * gives each 1.6 s of it a vector, speakers/turns.ts makes turns of one voice each out of these.
 * Speakers are grouped at the very end, over the turns of all parts.
 *
 * Where two speak at once, the turn is the louder one's.
 */
import type { InferenceSession } from 'onnxruntime-node';
import { encodeEmbedding } from '../../functions/core/results/embeddings.ts';
import type { ResultRow, VoiceRow } from '../../functions/core/results/rows.ts';
import { speakerRows } from '../../functions/core/results/speakers.ts';
import type { Analyzer, AnalyzerContext, AnalyzerSession, Outcome, Part } from './analyzer.ts';
import { refusedWithoutPip } from './refused.ts';
import { EMBEDDING_SPACE, encodeVoices } from './speakers/encoder.ts';
import { type HeardStretch, VoiceListener } from './speakers/listener.ts';
import { turnsOf } from './speakers/turns.ts';
import { SileroVad } from './speech/silero.ts';

export const speakers: Analyzer = {
  name: 'speakers',
  version: '1',
  kinds: ['audio', 'video'],
  feed: { pcm: true },
  models: ({ hasPip }) => (hasPip ? ['silero-vad', 'voice-encoder'] : []),
  cost: 0.03,
  async start(context) {
    // The voice model in npm packages erred twice as often (../models/packaged-voices.ts): too often to be believed.
    if (!context.models.means.hasPip) return refusedWithoutPip(context.durationMs);
    const vad = new SileroVad(await context.models.session('silero-vad'));
    return new SpeakersSession(context, vad, await context.models.session('voice-encoder'));
  },
};

class SpeakersSession implements AnalyzerSession {
  readonly #context: AnalyzerContext;
  readonly #encoder: InferenceSession;
  readonly #listenFrom: (ms: number) => VoiceListener;
  /** Made with the first sound, whose time it needs. */
  #listener: VoiceListener | null = null;
  /** Of all parts. */
  readonly #voices: VoiceRow[];
  #savedCount: number;
  /** The end of the last part. */
  #toMs: number;

  constructor(context: AnalyzerContext, vad: SileroVad, encoder: InferenceSession) {
    this.#context = context;
    this.#encoder = encoder;
    this.#listenFrom = (ms) => new VoiceListener(vad, ms);
    this.#voices = context.saved.filter((row) => row.kind === 'voice');
    this.#savedCount = this.#voices.length;
    this.#toMs = context.fromMs;
  }

  async onPcm(samples: Float32Array, startMs: number): Promise<void> {
    this.#context.signal.throwIfAborted();
    this.#listener ??= this.#listenFrom(Math.round(startMs));
    for (const stretch of await this.#listener.hear(samples)) await this.#take(stretch);
  }

  async drain(nowMs: number): Promise<Part> {
    this.#toMs = Math.max(this.#toMs, Math.min(this.#listener?.finalMs ?? 0, nowMs));
    return { toMs: this.#toMs, rows: this.#unsaved() };
  }

  async finish(): Promise<Part & { outcome: Outcome }> {
    if (this.#listener) await this.#take(this.#listener.finish());
    const rows: ResultRow[] = [...this.#unsaved(), ...speakerRows(this.#voices)];
    const toMs = Math.max(this.#context.durationMs, this.#toMs, Math.ceil(this.#listener?.finalMs ?? 0));
    const outcome: Outcome =
      this.#voices.length > 0
        ? { status: 'ok', reason: null }
        : { status: 'nothing_found', reason: 'No voice was heard.' };
    return { toMs, rows, outcome };
  }

  async dispose(): Promise<void> {}

  async #take(stretch: HeardStretch): Promise<void> {
    const windows = await encodeVoices(this.#encoder, stretch, this.#context.signal);
    for (const { startMs, endMs, embedding } of turnsOf(stretch.speech, windows)) {
      this.#voices.push({
        kind: 'voice',
        turnId: `v${this.#voices.length + 1}`,
        startMs,
        endMs,
        embedding: encodeEmbedding(embedding),
        embeddingSpace: EMBEDDING_SPACE,
      });
    }
  }

  #unsaved(): VoiceRow[] {
    const rows = this.#voices.slice(this.#savedCount);
    this.#savedCount = this.#voices.length;
    return rows;
  }
}
