/** `transcribe` with Whisper: about a hundred languages, told apart by the model itself. */
import type { SegmentRow } from '../../../../functions/core/results/rows.ts';
import type { AnalyzerContext, AnalyzerSession, Outcome, Part } from '../../analyzer.ts';
import { RefusedSession } from '../../refused.ts';
import { SileroVad } from '../silero.ts';
import { whisperCode } from './language.ts';
import { WhisperModel } from './model.ts';
import { type HeardUtterance, Transcriber } from './transcriber.ts';
import { SAMPLES_PER_MS, VoicedSound } from './voiced-sound.ts';
import { type VoicedWindow, WindowPacker } from './windows.ts';

/** @param modelId of a Whisper model that is in the store. */
export async function startWhisper(context: AnalyzerContext, modelId: string): Promise<AnalyzerSession> {
  const model = await WhisperModel.open(context.models, modelId);
  const { languages } = model.special;
  const language = context.language === null ? null : whisperCode(context.language, languages);
  if (context.language !== null && language === null) {
    return new RefusedSession(
      context.durationMs,
      'unsupported_language',
      `The speech model does not know "${context.language}".`,
    );
  }
  const last = context.saved.findLast((row) => row.kind === 'segment');
  const transcriber = new Transcriber(model, {
    batch: model.batch,
    language,
    before: last ? whisperCode(last.language, languages) : null,
    signal: context.signal,
  });
  return new WhisperSession(context, transcriber, model.batch);
}

class WhisperSession implements AnalyzerSession {
  readonly #context: AnalyzerContext;
  readonly #transcriber: Transcriber;
  readonly #batch: number;
  /** Made with the first sound, whose time it needs. */
  #sound: VoicedSound | null = null;
  readonly #packer = new WindowPacker();
  /** Not heard yet. */
  #windows: VoicedWindow[] = [];
  #rows: SegmentRow[] = [];
  #hasSpeech: boolean;
  /** The end of the last part. */
  #toMs: number;

  constructor(context: AnalyzerContext, transcriber: Transcriber, batch: number) {
    this.#context = context;
    this.#transcriber = transcriber;
    this.#batch = batch;
    this.#toMs = context.fromMs;
    this.#hasSpeech = context.saved.length > 0;
  }

  async onPcm(samples: Float32Array, startMs: number): Promise<void> {
    this.#context.signal.throwIfAborted();
    if (!this.#sound) {
      const vad = new SileroVad(await this.#context.models.session('silero-vad'));
      this.#sound = new VoicedSound(vad, Math.round(startMs));
    }
    for (const stretch of await this.#sound.hear(samples)) this.#windows.push(...this.#packer.add(stretch));
    if (this.#windows.length >= this.#batch) await this.#transcribe();
  }

  async drain(nowMs: number): Promise<Part> {
    const from = this.#windows[0]?.from ?? this.#packer.from ?? this.#sound?.from;
    if (from === undefined) return { toMs: this.#toMs, rows: [] };
    this.#toMs = Math.max(this.#toMs, Math.min(Math.floor(from / SAMPLES_PER_MS), nowMs));
    return { toMs: this.#toMs, rows: this.#rows.splice(0) };
  }

  async finish(): Promise<Part & { outcome: Outcome }> {
    if (this.#sound) {
      this.#windows.push(...this.#packer.add(this.#sound.finish()), ...this.#packer.finish());
      await this.#transcribe();
    }
    const heardMs = Math.ceil((this.#sound?.from ?? 0) / SAMPLES_PER_MS);
    const toMs = Math.max(this.#context.durationMs, this.#toMs, heardMs);
    const outcome: Outcome = this.#hasSpeech
      ? { status: 'ok', reason: null }
      : { status: 'nothing_found', reason: 'No speech was heard.' };
    return { toMs, rows: this.#rows.splice(0), outcome };
  }

  async dispose(): Promise<void> {}

  async #transcribe(): Promise<void> {
    const heard = await this.#transcriber.transcribe(this.#windows.splice(0));
    this.#rows.push(...heard.map(toRow));
    this.#hasSpeech ||= heard.length > 0;
  }
}

function toRow({ text, language, words }: HeardUtterance): SegmentRow {
  return {
    kind: 'segment',
    startMs: words[0]!.startMs,
    endMs: words.at(-1)!.endMs,
    text,
    language,
    confidence: words.reduce((sum, word) => sum + word.confidence, 0) / words.length,
    speakerId: null,
    words,
  };
}
