/**
 * Turns windows of voiced sound into utterances, several windows at once where the device likes that.
 *
 * Where Whisper did not come to the end of a window, the rest is heard as a window of its own,
 * as openai-whisper's `transcribe` does.
 */
import { begin, type Decoded, decode } from './decode.ts';
import { bcp47, chooseLanguage } from './language.ts';
import { logMel } from './log-mel.ts';
import { type DecoderState, selectRows, type WhisperModel } from './model.ts';
import { isSilence } from './quality.ts';
import { readSegments, type Segment } from './segments.ts';
import { SAMPLES_PER_MS } from './voiced-sound.ts';
import { placeInMedium, type VoicedWindow } from './windows.ts';
import { isSpoken } from './word-pieces.ts';
import { type TimedWord, timeWords } from './word-times.ts';

const SAMPLES_PER_SECOND = 1_000 * SAMPLES_PER_MS;
/** Less than that is not heard again. */
const SHORTEST_REST = 1 * SAMPLES_PER_SECOND;
/** Each time at least one segment is heard; more rests than that a window has only where it is no speech. */
const MOST_RESTS = 8;

export interface HeardUtterance {
  text: string;
  /** BCP 47. */
  language: string;
  words: { text: string; startMs: number; endMs: number; confidence: number }[];
}

/** A window, or what is left of it from the sample `at` on. */
interface Task {
  window: VoicedWindow;
  at: number;
  rests: number;
  language: string | null;
  heard: { segment: Segment; words: TimedWord[] }[];
}

export interface TranscriberOptions {
  /** Windows at once. */
  batch: number;
  /** Whisper's code, or null to detect it. */
  language: string | null;
  /** Whisper's code of what was said last, where something was. */
  before: string | null;
  signal: AbortSignal;
}

export class Transcriber {
  readonly #model: WhisperModel;
  readonly #options: TranscriberOptions;
  #before: string | null;

  constructor(model: WhisperModel, options: TranscriberOptions) {
    this.#model = model;
    this.#options = options;
    this.#before = options.before;
  }

  /** What was said in windows that follow each other, in order. */
  async transcribe(windows: readonly VoicedWindow[]): Promise<HeardUtterance[]> {
    const tasks = windows.map(
      (window): Task => ({ window, at: 0, rests: 0, language: this.#options.language, heard: [] }),
    );
    let open = tasks;
    while (open.length > 0) {
      const now = open.slice(0, this.#options.batch);
      const rests = await this.#hear(now);
      open = [...open.slice(now.length), ...rests];
    }
    return tasks.flatMap((task) => this.#utterances(task));
  }

  /** Hears tasks at once; returns those of which something is left. */
  async #hear(tasks: readonly Task[]): Promise<Task[]> {
    const model = this.#model;
    const mels = tasks.map(({ window, at }) => logMel(window.sound.subarray(at), model.bands));
    const heard = await model.hear(joined(mels), tasks.length);
    const beginning = await begin(model, heard, tasks.length);
    for (const [i, task] of tasks.entries()) {
      if (task.language !== null) continue;
      const { speechMs } = task.window;
      task.language = chooseLanguage(beginning.logits[i]!, model.special.languages, this.#before, speechMs);
      this.#before = task.language;
    }
    const decoded = await decode(model, beginning, {
      languages: tasks.map(({ language }) => language!),
      seeds: tasks.map(({ window, at }) => window.from + at),
      signal: this.#options.signal,
    });
    const left: Task[] = [];
    for (const [i, task] of tasks.entries()) {
      if (await this.#read(task, decoded[i]!, selectRows(heard, [i]))) left.push(task);
    }
    return left;
  }

  /** Takes over what was decoded; tells whether something is left to hear. */
  async #read(task: Task, decoded: Decoded, heard: DecoderState): Promise<boolean> {
    if (isSilence(decoded)) return false;
    const { endOfText, firstTimestamp } = this.#model.special;
    const duration = (task.window.sound.length - task.at) / SAMPLES_PER_SECOND;
    const { segments, goOnAt } = readSegments(decoded.tokens, firstTimestamp, endOfText, duration);
    const words = await this.#timeWords(task, segments, heard);
    for (const [i, segment] of segments.entries()) task.heard.push({ segment, words: words[i]! });
    if (goOnAt === null || goOnAt === 0 || task.rests >= MOST_RESTS) return false;
    task.at += Math.round(goOnAt * SAMPLES_PER_SECOND);
    task.rests++;
    return task.window.sound.length - task.at >= SHORTEST_REST;
  }

  /** The words of each segment, with seconds from the start of the window. */
  async #timeWords(task: Task, segments: readonly Segment[], heard: DecoderState): Promise<TimedWord[][]> {
    const { special, vocabulary } = this.#model;
    const text = segments.flatMap(({ tokens }) => tokens);
    if (text.length === 0) return segments.map(() => []);
    const language = task.language!;
    const prompt = [
      special.startOfTranscript,
      special.languages[language]!,
      special.transcribe,
      special.noTimestamps,
    ];
    const at = text.map((_, i) => prompt.length - 1 + i);
    const { logits, attention } = await this.#model.attend(
      heard,
      [...prompt, ...text, special.endOfText],
      at,
    );
    const probabilities = text.map((token, i) => probabilityAmong(logits[i]!, token, special.endOfText));
    const sound = task.window.sound.subarray(task.at);
    const words = timeWords(text, { attention, probabilities, sound }, vocabulary, language);
    const offset = task.at / SAMPLES_PER_SECOND;
    let [read, token, end] = [0, 0, 0];
    return segments.map(({ tokens }) => {
      const own: TimedWord[] = [];
      end += tokens.length;
      for (; token < end && read < words.length; read++) {
        const word = words[read]!;
        token += word.tokens.length;
        own.push({ ...word, start: word.start + offset, end: word.end + offset });
      }
      return own;
    });
  }

  #utterances({ window, language, heard }: Task): HeardUtterance[] {
    const { vocabulary } = this.#model;
    const spoken = heard.filter(({ words }) => words.some(({ text }) => isSpoken(text)));
    const times = placeInMedium(
      spoken.flatMap(({ words }) => words),
      window,
    );
    let read = 0;
    return spoken.map(({ words }) => ({
      text: vocabulary.decode(words.flatMap(({ tokens }) => tokens)).trim(),
      language: bcp47(language!),
      words: words.map(({ text, probability }) => ({
        text,
        ...times[read++]!,
        confidence: Math.min(probability, 1),
      })),
    }));
  }
}

function joined(mels: readonly Float32Array[]): Float32Array {
  if (mels.length === 1) return mels[0]!;
  const all = new Float32Array(mels.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const mel of mels) {
    all.set(mel, at);
    at += mel.length;
  }
  return all;
}

/** Probability of a token among those of text. */
function probabilityAmong(logits: Float32Array, token: number, endOfText: number): number {
  let total = 0;
  for (let i = 0; i < endOfText; i++) total += Math.exp(logits[i]! - logits[token]!);
  return 1 / total;
}
