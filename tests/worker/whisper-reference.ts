/**
 * Whisper computed plainly, from its definition
 * (https://github.com/openai/whisper/blob/v20250625/whisper/model.py): rows of positions, no
 * batches, nothing kept from one call to the next.
 */
import type { Dimensions } from '../../gpu-worker/models/whisper/checkpoint.ts';
import type { Weights } from './tiny-whisper.ts';

type Matrix = number[][];

export interface Reference {
  logits: Matrix;
  /** By layer and head: [tokens, frames]. */
  crossAttention: Matrix[][];
}

/** @param mel rows of frames, one a band. */
export function whisperReference(
  dimensions: Dimensions,
  weights: ReadonlyMap<string, Weights>,
  mel: Matrix,
  tokens: number[],
): Reference {
  const vector = (name: string) => [...weights.get(name)!.values];
  const matrix = (name: string) => {
    const { shape, values } = weights.get(name)!;
    return Array.from({ length: shape[0]! }, (_, row) => [
      ...values.subarray(row * shape[1]!, (row + 1) * shape[1]!),
    ]);
  };
  const linear = (rows: Matrix, name: string) => {
    const bias = weights.has(`${name}.bias`) ? vector(`${name}.bias`) : null;
    return rows.map((row) =>
      matrix(`${name}.weight`).map((column, i) => dot(row, column) + (bias?.[i] ?? 0)),
    );
  };
  const norm = (rows: Matrix, name: string) =>
    rows.map((row) => {
      const mean = sum(row) / row.length;
      const variance = sum(row.map((value) => (value - mean) ** 2)) / row.length;
      const [scale, shift] = [vector(`${name}.weight`), vector(`${name}.bias`)];
      return row.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * scale[i]! + shift[i]!);
    });
  const convolve = (bands: Matrix, name: string, stride: number) => {
    const { shape, values } = weights.get(`${name}.weight`)!;
    const [outputs, inputs] = shape as [number, number, number];
    const bias = vector(`${name}.bias`);
    return Array.from({ length: outputs }, (_, output) =>
      Array.from({ length: bands[0]!.length / stride }, (_, at) => {
        let total = bias[output]!;
        for (let input = 0; input < inputs; input++) {
          for (let tap = 0; tap < 3; tap++) {
            total +=
              (bands[input]![at * stride + tap - 1] ?? 0) * values[(output * inputs + input) * 3 + tap]!;
          }
        }
        return gelu(total);
      }),
    );
  };
  const attend = (rows: Matrix, over: Matrix, name: string, heads: number, causal: boolean) => {
    const [queries, keys, values] = [
      linear(rows, `${name}.query`),
      linear(over, `${name}.key`),
      linear(over, `${name}.value`),
    ];
    const size = rows[0]!.length / heads;
    const head = (row: number[], index: number) => row.slice(index * size, (index + 1) * size);
    const attention = Array.from({ length: heads }, (_, h) =>
      queries.map((query, i) =>
        softmax(
          keys.map((key, j) =>
            causal && j > i ? Number.NEGATIVE_INFINITY : dot(head(query, h), head(key, h)) / Math.sqrt(size),
          ),
        ),
      ),
    );
    const mixed = rows.map((_, i) =>
      attention.flatMap((weightsOf, h) =>
        Array.from({ length: size }, (_, d) =>
          dot(
            weightsOf[i]!,
            values.map((value) => value[h * size + d]!),
          ),
        ),
      ),
    );
    return { output: linear(mixed, `${name}.out`), attention };
  };
  const feedForward = (rows: Matrix, block: string) => {
    const wide = linear(norm(rows, `${block}.mlp_ln`), `${block}.mlp.0`).map((row) => row.map(gelu));
    return add(rows, linear(wide, `${block}.mlp.2`));
  };

  const convolved = convolve(convolve(mel, 'encoder.conv1', 1), 'encoder.conv2', 2);
  const frames = convolved[0]!.map((_, at) => convolved.map((band) => band[at]!));
  let heard = add(frames, matrix('encoder.positional_embedding'));
  for (let i = 0; i < dimensions.nAudioLayer; i++) {
    const block = `encoder.blocks.${i}`;
    const normed = norm(heard, `${block}.attn_ln`);
    heard = add(heard, attend(normed, normed, `${block}.attn`, dimensions.nAudioHead, false).output);
    heard = feedForward(heard, block);
  }
  heard = norm(heard, 'encoder.ln_post');

  const embedding = matrix('decoder.token_embedding.weight');
  const positions = matrix('decoder.positional_embedding');
  let written = add(
    tokens.map((token) => embedding[token]!),
    positions,
  );
  const crossAttention: Matrix[][] = [];
  for (let i = 0; i < dimensions.nTextLayer; i++) {
    const block = `decoder.blocks.${i}`;
    const normed = norm(written, `${block}.attn_ln`);
    written = add(written, attend(normed, normed, `${block}.attn`, dimensions.nTextHead, true).output);
    const asking = norm(written, `${block}.cross_attn_ln`);
    const cross = attend(asking, heard, `${block}.cross_attn`, dimensions.nTextHead, false);
    crossAttention.push(cross.attention);
    written = feedForward(add(written, cross.output), block);
  }
  const logits = norm(written, 'decoder.ln').map((row) => embedding.map((piece) => dot(row, piece)));
  return { logits, crossAttention };
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function dot(a: number[], b: number[]): number {
  return sum(a.map((value, i) => value * b[i]!));
}

/** Row by row; `b` may have more rows. */
function add(a: Matrix, b: Matrix): Matrix {
  return a.map((row, i) => row.map((value, j) => value + b[i]![j]!));
}

function softmax(values: number[]): number[] {
  const highest = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - highest));
  return powers.map((power) => power / sum(powers));
}

function gelu(value: number): number {
  return 0.5 * value * (1 + erf(value / Math.SQRT2));
}

/** The Taylor series, which has converged in double precision long before its 120th term for |x| < 4. */
function erf(x: number): number {
  if (Math.abs(x) >= 4) return Math.sign(x);
  let [term, total] = [x, x];
  for (let n = 1; n < 120; n++) {
    term *= -(x * x) / n;
    total += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * total;
}
