/**
 * Writes down what is heard in windows of at most 30 s, several at once: token after token,
 * again at a higher temperature where the text cannot be believed (quality.ts).
 *
 * What was written before a window is not told to it: a mistake would go on for ever, and a
 * window must not depend on where a job was resumed.
 */
import { isLoop, withoutLoop } from './loops.ts';
import { type DecoderState, type DecoderStep, selectRows, type WhisperModel } from './model.ts';
import { type Attempt, bestOf, isDoubtful, TEMPERATURES } from './quality.ts';
import { applyRules } from './rules.ts';
import { pickToken, seededRandom } from './sampling.ts';

export interface Decoded extends Attempt {
  /** With time stamps, without the prompt and the end. */
  tokens: number[];
}

/** Sequences that were told nothing but the start, and what may follow it. */
export interface Beginning {
  state: DecoderState;
  /** One row for each sequence. */
  logits: Float32Array[];
}

export interface DecodeOptions {
  /** Whisper's code, for each sequence. */
  languages: readonly string[];
  /** For each sequence; the same gives the same words. */
  seeds: readonly number[];
  signal: AbortSignal;
}

/** Tells the decoder the start of a transcript. What follows tells the language and whether there is speech. */
export async function begin(model: WhisperModel, heard: DecoderState, count: number): Promise<Beginning> {
  const start = Array.from({ length: count }, () => [model.special.startOfTranscript]);
  const { state, logits } = await model.advance(heard, start, [0]);
  return { state, logits: logits.map(([row]) => row!) };
}

/** What was said, for each sequence. */
export async function decode(
  model: WhisperModel,
  beginning: Beginning,
  { languages, seeds, signal }: DecodeOptions,
): Promise<Decoded[]> {
  const { special } = model;
  const prompts = languages.map((language) => [special.languages[language]!, special.transcribe]);
  const prompted = await model.advance(beginning.state, prompts, [1]);
  const noSpeech = beginning.logits.map((row) => probabilityOf(row, special.noSpeech));
  const attempts: Decoded[][] = languages.map(() => []);
  let rows = languages.map((_, row) => row);
  for (const [round, temperature] of TEMPERATURES.entries()) {
    const step = {
      state: selectRows(prompted.state, rows),
      logits: rows.map((row) => [prompted.logits[row]![0]!.slice()]),
    };
    const randoms = rows.map((row) => seededRandom(seeds[row]! * TEMPERATURES.length + round));
    const written = await write(model, step, temperature, randoms, signal);
    for (const [i, row] of rows.entries()) {
      attempts[row]!.push(judged(model, written[i]!, noSpeech[row]!));
    }
    rows = rows.filter((row) => isDoubtful(attempts[row]!.at(-1)!));
    if (rows.length === 0) break;
  }
  return attempts.map((own) => {
    const chosen = isDoubtful(own.at(-1)!) ? bestOf(own) : own.at(-1)!;
    return { ...chosen, tokens: withoutLoop(chosen.tokens, special.endOfText) };
  });
}

interface Written {
  tokens: number[];
  logProbability: number;
}

/** Writes until all sequences have ended, or are as long as half of what the decoder holds. */
async function write(
  model: WhisperModel,
  first: DecoderStep,
  temperature: number,
  randoms: readonly (() => number)[],
  signal: AbortSignal,
): Promise<Written[]> {
  const { endOfText } = model.special;
  const written = first.logits.map((): Written & { isOver: boolean } => ({
    tokens: [],
    logProbability: 0,
    isOver: false,
  }));
  let step = first;
  for (let length = 0; length < model.longestText / 2; length++) {
    signal.throwIfAborted();
    const next = written.map((own, i) => {
      if (own.isOver) return [endOfText];
      const logits = step.logits[i]![0]!;
      applyRules(logits, own.tokens, model.rules);
      const { token, logProbability } = pickToken(logits, temperature, randoms[i]!);
      own.logProbability += logProbability;
      if (token !== endOfText) own.tokens.push(token);
      own.isOver = token === endOfText || isLoop(own.tokens, endOfText);
      return [token];
    });
    if (written.every((own) => own.isOver)) break;
    step = await model.advance(step.state, next, [0]);
  }
  return written;
}

function judged(
  model: WhisperModel,
  { tokens, logProbability }: Written,
  noSpeechProbability: number,
): Decoded {
  const text = model.vocabulary.decode(tokens).trim();
  return { tokens, text, meanLogProbability: logProbability / (tokens.length + 1), noSpeechProbability };
}

function probabilityOf(logits: Float32Array, token: number): number {
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += Math.exp(logits[i]! - logits[token]!);
  return 1 / total;
}
