/**
 * `transcribe` with Vosk: English, on any CPU, from npm packages alone.
 *
 * listener.ts finds speech (Silero) and hears it (Vosk, through vosk.ts) in stretches that
 * are decoded on their own (stretch.ts), so a resumed job hears the same words. The model is
 * English: another language asked for is refused, and where none is asked for the first words
 * are held back until it is clear that they are English (english.ts). It tells no language
 * apart beyond that.
 */
import type { SegmentRow } from '../../../functions/core/results/rows.ts';
import type { ModelStore } from '../../models/store.ts';
import type { AnalyzerContext, AnalyzerSession, Outcome, Part } from '../analyzer.ts';
import { RefusedSession } from '../refused.ts';
import { judgeLanguage, type Language } from './english.ts';
import { SpeechListener, type Utterance } from './listener.ts';
import { SileroVad } from './silero.ts';
import { VoskModel } from './vosk.ts';

const LANGUAGE = 'en';

export async function startVosk(context: AnalyzerContext): Promise<AnalyzerSession> {
  if (context.language !== null && new Intl.Locale(context.language).language !== LANGUAGE) {
    return new RefusedSession(
      context.durationMs,
      'unsupported_language',
      `The speech model knows English only, not "${context.language}".`,
    );
  }
  const vad = new SileroVad(await context.models.session('silero-vad'));
  return new VoskSession(context, vad, await sharedModel(context.models));
}

/** Loaded once for a model store, like its ONNX sessions, and kept as long as the process. */
const loaded = new WeakMap<ModelStore, Promise<VoskModel>>();

function sharedModel(models: ModelStore): Promise<VoskModel> {
  const loading = loaded.get(models) ?? VoskModel.load(models.folder('vosk-lib'), models.folder('vosk-en'));
  loaded.set(models, loading);
  loading.catch(() => loaded.delete(models));
  return loading;
}

class VoskSession implements AnalyzerSession {
  readonly #context: AnalyzerContext;
  readonly #listenFrom: (ms: number) => SpeechListener;
  /** Made with the first sound, whose time it needs. */
  #listener: SpeechListener | null = null;
  /** While `undecided` the rows are held back; of `other` there are none. */
  #language: Language;
  #hasSpeech: boolean;
  #rows: SegmentRow[] = [];
  /** The end of the last part. */
  #toMs: number;

  constructor(context: AnalyzerContext, vad: SileroVad, model: VoskModel) {
    this.#context = context;
    this.#listenFrom = (ms) => new SpeechListener(vad, model, ms);
    this.#toMs = context.fromMs;
    this.#hasSpeech = context.saved.length > 0;
    // Who asks for English gets English; and had it been refused, nothing would be saved.
    this.#language = context.language !== null || this.#hasSpeech ? 'english' : 'undecided';
  }

  async onPcm(samples: Float32Array, startMs: number): Promise<void> {
    this.#context.signal.throwIfAborted();
    if (this.#language === 'other') return;
    this.#listener ??= this.#listenFrom(Math.round(startMs));
    await this.#listener.hear(samples);
    this.#collect(this.#listener);
    this.#judge(false);
  }

  async drain(nowMs: number): Promise<Part> {
    // What is held back, or was refused, is heard again by whoever resumes, and decided alike.
    const isHeld = this.#language === 'other' || (this.#language === 'undecided' && this.#rows.length > 0);
    if (isHeld || !this.#listener) return { toMs: this.#toMs, rows: [] };
    this.#toMs = Math.min(this.#listener.finalMs, nowMs);
    return { toMs: this.#toMs, rows: this.#rows.splice(0) };
  }

  async finish(): Promise<Part & { outcome: Outcome }> {
    if (this.#listener && this.#language !== 'other') {
      await this.#listener.finish();
      this.#collect(this.#listener);
    }
    this.#judge(true);
    const toMs = Math.max(this.#context.durationMs, this.#toMs, Math.ceil(this.#listener?.finalMs ?? 0));
    return { toMs, rows: this.#rows.splice(0), outcome: this.#outcome() };
  }

  async dispose(): Promise<void> {
    this.#listener?.dispose();
  }

  #collect(listener: SpeechListener): void {
    const rows = listener.take().map(toRow);
    this.#rows.push(...rows);
    this.#hasSpeech ||= rows.length > 0;
  }

  #judge(isAll: boolean): void {
    if (this.#language !== 'undecided') return;
    const confidences = this.#rows.flatMap((row) => row.words.map((word) => word.confidence ?? 0));
    this.#language = judgeLanguage(confidences, isAll);
    if (this.#language === 'other') this.#rows = [];
  }

  #outcome(): Outcome {
    if (this.#language === 'other') {
      const reason =
        'The speech does not sound like English, the only language the speech model knows. ' +
        'If it is English, ask with the language "en".';
      return { status: 'unsupported_language', reason };
    }
    if (!this.#hasSpeech) return { status: 'nothing_found', reason: 'No speech was heard.' };
    return { status: 'ok', reason: null };
  }
}

function toRow(words: Utterance): SegmentRow {
  return {
    kind: 'segment',
    startMs: words[0]!.startMs,
    endMs: words.at(-1)!.endMs,
    text: words.map((word) => word.text).join(' '),
    language: LANGUAGE,
    confidence: words.reduce((sum, word) => sum + word.confidence, 0) / words.length,
    speakerId: null,
    words,
  };
}
