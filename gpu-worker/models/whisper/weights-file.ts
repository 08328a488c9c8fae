/**
 * The file of weights beside a graph. Tensors keep the bits they have in the checkpoint; the
 * graph converts them where it computes in another type (ONNX Runtime does so once, when it
 * opens the model), so that one file serves both precisions.
 */
import { open } from 'node:fs/promises';
import path from 'node:path';
import type { ExternalTensor } from '../onnx/graph.ts';
import { type StoredTensor, sizeBytesOf } from './checkpoint.ts';

/** Lets the runtime use the mapped file as it is. */
const ALIGNMENT_BYTES = 64;

export class WeightsFile {
  readonly name: string;
  #placed = new Map<string, ExternalTensor>();
  #parts: { offsetBytes: number; tensor: StoredTensor }[] = [];
  #sizeBytes = 0;

  constructor(name: string) {
    this.name = name;
  }

  /**
   * A place for tensors of one type that follow each other along their first axis; the same
   * place for the same key. Nothing is read before `write`.
   */
  place(key: string, tensors: StoredTensor[]): ExternalTensor {
    const known = this.#placed.get(key);
    if (known) return known;
    const { type, shape } = tensors[0]!;
    const placed = {
      type,
      shape: [tensors.reduce((rows, tensor) => rows + tensor.shape[0]!, 0), ...shape.slice(1)],
      file: this.name,
      offsetBytes: Math.ceil(this.#sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES,
      sizeBytes: tensors.reduce((sum, tensor) => sum + sizeBytesOf(tensor), 0),
    };
    let offsetBytes = placed.offsetBytes;
    for (const tensor of tensors) {
      if (tensor.type !== type) throw new Error(`the tensors of ${key} are of different types`);
      this.#parts.push({ offsetBytes, tensor });
      offsetBytes += sizeBytesOf(tensor);
    }
    this.#sizeBytes = offsetBytes;
    this.#placed.set(key, placed);
    return placed;
  }

  async write(folder: string): Promise<void> {
    const file = await open(path.join(folder, this.name), 'wx');
    try {
      for (const { offsetBytes, tensor } of this.#parts) {
        const bytes = await tensor.read();
        for (let done = 0; done < bytes.length; ) {
          done += (await file.write(bytes, done, bytes.length - done, offsetBytes + done)).bytesWritten;
        }
      }
    } finally {
      await file.close();
    }
  }
}
