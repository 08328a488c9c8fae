/**
 * A loaded Whisper model: the graphs that models/whisper/graphs.ts describes, and what is
 * needed to tell their numbers.
 *
 * Keys and values go from one call to the next as the tensors they came as: nothing is copied
 * or looked at on the way.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { z } from 'zod';
import { batchLimit } from '../../../models/batches.ts';
import type { ModelStore } from '../../../models/store.ts';
import type { SpecialTokens } from '../../../models/whisper/tokens.ts';
import { WINDOW_FRAMES } from './log-mel.ts';
import { nonSpeechTokens } from './non-speech.ts';
import type { Rules } from './rules.ts';
import type { Attention } from './time-warping.ts';
import { Vocabulary } from './vocabulary.ts';

const size = z.int().positive();
const token = z.int().nonnegative();

/** What of `model.json` is used here. */
const Description = z.object({
  dimensions: z.object({
    nMels: size,
    nVocab: size,
    nAudioCtx: size,
    nTextCtx: size,
    nTextState: size,
    nTextHead: size,
    nTextLayer: size,
  }),
  tokens: z.object({
    endOfText: token,
    startOfTranscript: token,
    translate: token,
    transcribe: token,
    startOfLm: token,
    startOfPrevious: token,
    noSpeech: token,
    noTimestamps: token,
    firstTimestamp: token,
    languages: z.record(z.string(), token),
  }),
});

/** By the names of the graphs' inputs and outputs. */
type Tensors = Record<string, Tensor>;

/** What the decoder knows: what was heard, and what was written up to now. */
export interface DecoderState {
  cross: Tensors;
  past: Tensors;
}

export interface DecoderStep {
  state: DecoderState;
  /** One row of the vocabulary's size for each sequence and each position asked for. */
  logits: Float32Array[][];
}

export class WhisperModel {
  readonly special: SpecialTokens;
  readonly vocabulary: Vocabulary;
  readonly rules: Rules;
  readonly bands: number;
  /** Tokens that one text may have, prompt included. */
  readonly longestText: number;
  /** Windows that the device hears best at once. */
  readonly batch: number;
  readonly #dimensions: z.infer<typeof Description>['dimensions'];
  readonly #encoder: InferenceSession;
  readonly #decoder: InferenceSession;

  private constructor(
    { dimensions, tokens }: z.infer<typeof Description>,
    vocabulary: Vocabulary,
    encoder: InferenceSession,
    decoder: InferenceSession,
  ) {
    this.#dimensions = dimensions;
    this.special = tokens;
    this.vocabulary = vocabulary;
    this.bands = dimensions.nMels;
    this.longestText = dimensions.nTextCtx;
    this.batch = batchLimit(encoder);
    this.#encoder = encoder;
    this.#decoder = decoder;
    const { startOfTranscript, transcribe, translate, startOfLm, startOfPrevious, noSpeech } = tokens;
    this.rules = {
      special: tokens,
      suppressed: [
        ...nonSpeechTokens(vocabulary),
        ...[startOfTranscript, transcribe, translate, startOfLm, startOfPrevious, noSpeech],
        ...Object.values(tokens.languages),
      ],
      blank: vocabulary.encode(' ')[0]!,
    };
  }

  /** @throws where the model was not fetched or is none. */
  static async open(models: ModelStore, modelId: string): Promise<WhisperModel> {
    const folder = models.folder(modelId);
    const description = Description.parse(JSON.parse(await readFile(join(folder, 'model.json'), 'utf8')));
    const list = await readFile(join(folder, 'vocabulary.tiktoken'), 'utf8');
    const graph = models.device(modelId) === 'cuda' ? 'fp16.onnx' : 'onnx';
    const [encoder, decoder] = await Promise.all([
      models.session(modelId, `encoder.${graph}`),
      models.session(modelId, `decoder.${graph}`),
    ]);
    return new WhisperModel(description, Vocabulary.parse(list), encoder, decoder);
  }

  /** Listens to windows: `mels` is one log-mel spectrogram after the other. */
  async hear(mels: Float32Array, count: number): Promise<DecoderState> {
    const mel = new Tensor('float32', mels, [count, this.bands, WINDOW_FRAMES]);
    const cross = (await this.#encoder.run({ mel })) as Tensors;
    const { nTextHead: heads, nTextState, nTextLayer } = this.#dimensions;
    const { type } = cross.cross_k_0!;
    const past: Tensors = {};
    for (let layer = 0; layer < nTextLayer; layer++) {
      for (const kind of ['k', 'v']) {
        past[`past_${kind}_${layer}`] = emptyTensor(type, [count, heads, 0, nTextState / heads]);
      }
    }
    return { cross, past };
  }

  /**
   * Tells the decoder the next tokens of each sequence, equally many of each, and asks what may
   * follow those at the positions `at`.
   */
  async advance(
    state: DecoderState,
    tokens: readonly number[][],
    at: readonly number[],
  ): Promise<DecoderStep> {
    const { nTextLayer: layers } = this.#dimensions;
    const wanted = ['logits'];
    for (let layer = 0; layer < layers; layer++) wanted.push(`present_k_${layer}`, `present_v_${layer}`);
    const out = (await this.#decoder.run(this.#feeds(state, tokens, at), wanted)) as Tensors;
    const past: Tensors = {};
    for (const name of wanted.slice(1)) past[name.replace('present', 'past')] = out[name]!;
    return { state: { cross: state.cross, past }, logits: this.#logits(out, tokens.length, at.length) };
  }

  /**
   * Tells the decoder a whole text of one sequence, and what it looked at meanwhile.
   * @returns the logits at the positions `at`, and the attention of each token.
   */
  async attend(
    state: DecoderState,
    tokens: readonly number[],
    at: readonly number[],
  ): Promise<{ logits: Float32Array[]; attention: Attention }> {
    const out = (await this.#decoder.run(this.#feeds(state, [[...tokens]], at), [
      'logits',
      'alignment',
    ])) as Tensors;
    const [, heads, length, frames] = out.alignment!.dims as [number, number, number, number];
    const data = out.alignment!.data as Float32Array;
    return {
      logits: this.#logits(out, 1, at.length)[0]!,
      attention: { data, heads, tokens: length, frames },
    };
  }

  #feeds(state: DecoderState, tokens: readonly number[][], at: readonly number[]): Tensors {
    const ids = BigInt64Array.from(tokens.flat(), BigInt);
    return {
      tokens: new Tensor('int64', ids, [tokens.length, tokens[0]!.length]),
      logits_at: new Tensor('int64', BigInt64Array.from(at, BigInt), [at.length]),
      ...state.cross,
      ...state.past,
    };
  }

  #logits(out: Tensors, sequences: number, positions: number): Float32Array[][] {
    const { nVocab } = this.#dimensions;
    const all = out.logits!.data as Float32Array;
    return Array.from({ length: sequences }, (_, sequence) =>
      Array.from({ length: positions }, (_, position) => {
        const from = (sequence * positions + position) * nVocab;
        return all.subarray(from, from + nVocab);
      }),
    );
  }
}

/** The state of some of the sequences, in the order of `rows`. */
export function selectRows(state: DecoderState, rows: readonly number[]): DecoderState {
  const count = state.cross.cross_k_0!.dims[0]!;
  if (rows.length === count && rows.every((row, i) => row === i)) return state;
  return { cross: selectEach(state.cross, rows), past: selectEach(state.past, rows) };
}

function selectEach(tensors: Tensors, rows: readonly number[]): Tensors {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const [count, ...rest] = tensor.dims as [number, ...number[]];
      const data = tensor.data as Float32Array;
      const length = data.length / count;
      const selected = new (data.constructor as Float32ArrayConstructor)(rows.length * length);
      for (const [i, row] of rows.entries())
        selected.set(data.subarray(row * length, (row + 1) * length), i * length);
      return [name, new Tensor(tensor.type as 'float32', selected, [rows.length, ...rest])];
    }),
  );
}

function emptyTensor(type: Tensor['type'], dims: readonly number[]): Tensor {
  const data = type === 'float16' ? new Uint16Array(0) : new Float32Array(0);
  return new Tensor(type as 'float32', data as Float32Array, dims);
}
