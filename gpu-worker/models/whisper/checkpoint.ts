/**
 * What every source of a Whisper model is read into: its sizes and its tensors, under the
 * names that OpenAI's own checkpoints use
 * (https://github.com/openai/whisper/blob/v20250625/whisper/model.py). Tensors are read one
 * at a time, so that a model of 1.6 GB is converted in a fraction of that memory.
 */
import { z } from 'zod';

const Size = z.int().positive().max(1_000_000);

/** The sizes of OpenAI's `ModelDimensions`; their limits keep a broken file from asking for all memory. */
export const Dimensions = z.object({
  nMels: Size,
  nAudioCtx: Size,
  nAudioState: Size,
  nAudioHead: Size.max(128),
  nAudioLayer: Size.max(128),
  nVocab: Size,
  nTextCtx: Size,
  nTextState: Size,
  nTextHead: Size.max(128),
  nTextLayer: Size.max(128),
});
export type Dimensions = z.infer<typeof Dimensions>;

export type FloatType = 'float16' | 'float32';

export const BYTES_OF = { float16: 2, float32: 4 } as const;

/** Values in row-major order, little endian. */
export interface StoredTensor {
  type: FloatType;
  shape: number[];
  read(): Promise<Uint8Array>;
}

export interface Checkpoint {
  dimensions: Dimensions;
  tensors: ReadonlyMap<string, StoredTensor>;
}

export function sizeBytesOf({ type, shape }: Pick<StoredTensor, 'type' | 'shape'>): number {
  return shape.reduce((product, size) => product * size, BYTES_OF[type]);
}

/** The tensor of that name and shape. Throws where the checkpoint has none: it is no Whisper model, or damaged. */
export function tensorOf({ tensors }: Checkpoint, name: string, shape: number[]): StoredTensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new Error(`the checkpoint has no tensor ${name}`);
  if (tensor.shape.join() !== shape.join()) {
    throw new Error(`the tensor ${name} has the shape [${tensor.shape}] and not [${shape}]`);
  }
  return tensor;
}
