/**
 * Many inputs through one model, as many at once as its device takes.
 *
 * On a CPU that is one: four at once took 69 ms against 66 ms for four face embeddings, 106 against
 * 103 for lines of text, 356 against 295 for an object detector (one core). For GPUs the manifest says
 * it (`cuda.maxBatch`). Where memory does not suffice, on a GPU that others
 * use too or that is smaller than thought, half as many are tried, down to one; what was found out
 * holds as long as the session.
 */
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { isOutOfMemory } from './out-of-memory.ts';

const limits = new WeakMap<InferenceSession, number>();

/** Says how many inputs at once a session may be given; one where nothing was said. */
export function allowBatches(session: InferenceSession, maxBatch: number): void {
  limits.set(session, maxBatch);
}

export function batchLimit(session: InferenceSession): number {
  return limits.get(session) ?? 1;
}

/**
 * Runs a model that has one input and float32 results, both with the number of inputs as their first
 * dimension.
 *
 * @param inputs float32, each of dimensions [1, ...]. Those in a row that have the same go together.
 * @returns the results of each input, in the order of `inputs`, each of dimensions [1, ...].
 * @throws what the session throws; for lack of memory only where a single input is too much.
 */
export async function runEach(
  session: InferenceSession,
  inputs: readonly Tensor[],
): Promise<Record<string, Tensor>[]> {
  const results: Record<string, Tensor>[] = [];
  while (results.length < inputs.length) {
    const batch = nextBatch(inputs, results.length, batchLimit(session));
    try {
      const found = await session.run({ [session.inputNames[0]!]: join(batch) });
      results.push(...split(found as Record<string, Tensor>, batch.length));
    } catch (error) {
      if (batch.length === 1 || !isOutOfMemory(error)) throw error;
      limits.set(session, Math.floor(batch.length / 2));
    }
  }
  return results;
}

function nextBatch(inputs: readonly Tensor[], from: number, limit: number): readonly Tensor[] {
  const shape = inputs[from]!.dims.join();
  let to = from + 1;
  while (to < inputs.length && to - from < limit && inputs[to]!.dims.join() === shape) to++;
  return inputs.slice(from, to);
}

function join(batch: readonly Tensor[]): Tensor {
  const [first] = batch;
  if (batch.length === 1) return first!;
  const size = first!.data.length;
  const data = new Float32Array(size * batch.length);
  for (const [index, input] of batch.entries()) data.set(input.data as Float32Array, index * size);
  return new Tensor('float32', data, [batch.length, ...first!.dims.slice(1)]);
}

function split(results: Record<string, Tensor>, count: number): Record<string, Tensor>[] {
  if (count === 1) return [results];
  return Array.from({ length: count }, (_, index) =>
    Object.fromEntries(
      Object.entries(results).map(([name, { data, dims }]) => {
        const size = data.length / count;
        const part = (data as Float32Array).subarray(index * size, (index + 1) * size);
        return [name, new Tensor('float32', part, [1, ...dims.slice(1)])];
      }),
    ),
  );
}
