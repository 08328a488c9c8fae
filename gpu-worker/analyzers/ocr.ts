/**
 * `ocr`: the text seen in pictures and films, line by line.
 *
 * Text is read from a frame only where the picture has changed since the last reading
 * (ocr/change.ts). ocr/reader.ts reads one frame, with the models of ocr/text-models.ts;
 * ocr/tracks.ts makes of the readings one row for each sign and stretch of time.
 */
import type { ResultRow, TextRow } from '../../functions/core/results/rows.ts';
import type { Analyzer, AnalyzerContext, AnalyzerSession, Frame, Outcome, Part } from './analyzer.ts';
import { hasChanged, thumbnail } from './ocr/change.ts';
import { TextReader } from './ocr/reader.ts';
import { type TextModels, textModelsOf } from './ocr/text-models.ts';
import { TextTracks, toRow } from './ocr/tracks.ts';

export const ocr: Analyzer = {
  name: 'ocr',
  version: '2',
  kinds: ['image', 'video'],
  feed: { frames: { fps: 1, maxWidth: 1280 } },
  models(means) {
    const { detector, recognizer } = textModelsOf(means);
    return [detector, recognizer];
  },
  cost: 0.4,
  async start(context) {
    const models = textModelsOf(context.models.means);
    const { language } = context;
    if (!isReadable(language, models)) return new UnreadableSession(context, models);
    return new OcrSession(context, await TextReader.open(context.models, models), caveat(language, models));
  },
};

const scriptOf = (language: string) => new Intl.Locale(language).maximize().script ?? '';
const isReadable = (language: string | null, { scripts }: TextModels) =>
  language === null || scripts.includes(scriptOf(language));

/** What is missing for a language that is read with some letters wrong; null where all are there. */
function caveat(language: string | null, { hasAccents }: TextModels): string | null {
  if (language === null || hasAccents) return null;
  if (['en', 'zh'].includes(new Intl.Locale(language).language)) return null;
  return 'The text model knows English and Chinese only: umlauts and accents are read as plain letters.';
}

class OcrSession implements AnalyzerSession {
  readonly #context: AnalyzerContext;
  readonly #reader: TextReader;
  readonly #tracks: TextTracks;
  readonly #caveat: string | null;
  #lastRead: Uint8Array | null = null;
  /** Of a still picture. */
  #still: TextRow[] = [];
  #found: boolean;
  #lastFrameMs = 0;

  constructor(context: AnalyzerContext, reader: TextReader, caveat: string | null) {
    this.#context = context;
    this.#reader = reader;
    this.#caveat = caveat;
    const saved = context.saved.filter((row): row is TextRow => row.kind === 'text');
    this.#tracks = new TextTracks(saved, context.fromMs);
    this.#found = saved.length > 0;
  }

  async onFrame(frame: Frame): Promise<void> {
    this.#context.signal.throwIfAborted();
    this.#lastFrameMs = frame.tMs;
    const picture = await thumbnail(frame);
    if (this.#lastRead && !hasChanged(this.#lastRead, picture)) return;
    this.#lastRead = picture;
    const lines = await this.#reader.read(frame);
    if (this.#context.kind === 'image') {
      this.#still = lines.map((line, i) => toRow({ id: `o${i + 1}`, ...line }, 0, 0));
    } else this.#tracks.see(frame.tMs, lines);
  }

  async drain(nowMs: number): Promise<Part> {
    if (this.#context.kind === 'image') return { toMs: 0, rows: [] };
    return this.#part(this.#tracks.finalMs(nowMs));
  }

  async finish(): Promise<Part & { outcome: Outcome }> {
    const { kind, durationMs } = this.#context;
    // Containers round their duration down at times; what is in the last frame is still seen.
    const endMs = Math.max(durationMs, this.#lastFrameMs + 1);
    const part = kind === 'image' ? { toMs: 0, rows: this.#still } : this.#part(endMs);
    this.#found ||= part.rows.length > 0;
    const outcome: Outcome = this.#found
      ? { status: 'ok', reason: this.#caveat }
      : { status: 'nothing_found', reason: 'No text was seen.' };
    return { ...part, outcome };
  }

  async dispose(): Promise<void> {
    this.#lastRead = null;
  }

  #part(toMs: number): { toMs: number; rows: ResultRow[] } {
    const rows = this.#tracks.take(toMs);
    this.#found ||= rows.length > 0;
    return { toMs, rows };
  }
}

/** For a language whose letters the model does not have: reading them would give nonsense. */
class UnreadableSession implements AnalyzerSession {
  readonly #context: AnalyzerContext;
  readonly #letters: string;

  constructor(context: AnalyzerContext, { scripts }: TextModels) {
    this.#context = context;
    this.#letters = scripts.includes('Jpan') ? 'Latin, Chinese and Japanese' : 'Latin and Chinese';
  }

  async drain(nowMs: number): Promise<Part> {
    return { toMs: nowMs, rows: [] };
  }

  async finish(): Promise<Part & { outcome: Outcome }> {
    const reason = `The text model reads ${this.#letters} letters, not those of "${this.#context.language}".`;
    return {
      toMs: this.#context.durationMs,
      rows: [],
      outcome: { status: 'unsupported_language', reason },
    };
  }

  async dispose(): Promise<void> {}
}
