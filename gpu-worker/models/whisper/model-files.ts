/**
 * Writes a Whisper model's folder out of its checkpoint:
 *
 * - `encoder.onnx`, `decoder.onnx`: compute in float32, for CPUs;
 * - `encoder.fp16.onnx`, `decoder.fp16.onnx`: compute in float16, for CUDA;
 * - `encoder.bin`, `decoder.bin`: the weights of both, as the checkpoint has them;
 * - `vocabulary.tiktoken`: see tokens.ts;
 * - `model.json`: sizes, alignment heads and the numbers of special tokens.
 *
 * The same checkpoint gives the same bytes on every machine.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Checkpoint, Dimensions } from './checkpoint.ts';
import { decoderGraph } from './decoder-graph.ts';
import { encoderGraph } from './encoder-graph.ts';
import type { AttentionHead } from './graphs.ts';
import { type SpecialTokens, specialTokens } from './tokens.ts';
import { WeightsFile } from './weights-file.ts';

/** What `model.json` holds. */
export interface WhisperDescription {
  dimensions: Dimensions;
  /** Those whose cross-attention follows the words in time, in the order in which the decoder gives them. */
  alignmentHeads: AttentionHead[];
  tokens: SpecialTokens;
}

/**
 * Counts what the same checkpoint was made into; to be raised whenever that changes, so that models
 * made before are made anew. Where digests are pinned in the manifest they change with it.
 */
export const WHISPER_CONVERSION = 1;

export const WHISPER_FILES = [
  'decoder.bin',
  'decoder.fp16.onnx',
  'decoder.onnx',
  'encoder.bin',
  'encoder.fp16.onnx',
  'encoder.onnx',
  'model.json',
  'vocabulary.tiktoken',
] as const;

/** `folder` exists and is empty. `alignmentHeads` null: all heads of the upper half of the layers. */
export async function writeWhisperFiles(
  folder: string,
  checkpoint: Checkpoint,
  alignmentHeads: readonly AttentionHead[] | null,
  vocabulary: string,
): Promise<void> {
  const { dimensions } = checkpoint;
  const heads = [...(alignmentHeads ?? upperHalf(dimensions))].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const description: WhisperDescription = {
    dimensions,
    alignmentHeads: heads,
    tokens: specialTokens(dimensions.nVocab),
  };
  const encoderWeights = new WeightsFile('encoder.bin');
  const decoderWeights = new WeightsFile('decoder.bin');
  const small: Record<string, Uint8Array | string> = {
    'encoder.onnx': encoderGraph(checkpoint, encoderWeights, 'float32'),
    'encoder.fp16.onnx': encoderGraph(checkpoint, encoderWeights, 'float16'),
    'decoder.onnx': decoderGraph(checkpoint, decoderWeights, 'float32', heads),
    'decoder.fp16.onnx': decoderGraph(checkpoint, decoderWeights, 'float16', heads),
    'model.json': `${JSON.stringify(description, null, 2)}\n`,
    'vocabulary.tiktoken': vocabulary,
  };
  for (const [name, content] of Object.entries(small)) await writeFile(path.join(folder, name), content);
  await encoderWeights.write(folder);
  await decoderWeights.write(folder);
}

function upperHalf({ nTextLayer, nTextHead }: Dimensions): AttentionHead[] {
  const heads: AttentionHead[] = [];
  for (let layer = Math.floor(nTextLayer / 2); layer < nTextLayer; layer++) {
    for (let head = 0; head < nTextHead; head++) heads.push([layer, head]);
  }
  return heads;
}
