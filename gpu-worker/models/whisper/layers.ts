/**
 * The layers that Whisper's encoder and decoder are made of, as ONNX operators. Activations
 * are matrices, [batch × positions, state]: `Gemm` then takes PyTorch's weights ([out, in])
 * as they are, with their bias.
 */
import { OnnxGraph } from '../onnx/graph.ts';
import { type Checkpoint, type FloatType, type StoredTensor, sizeBytesOf, tensorOf } from './checkpoint.ts';
import type { WeightsFile } from './weights-file.ts';

/**
 * The first operator set with LayerNormalization. Later ones have a Gelu, which ONNX Runtime's CUDA
 * part did not know for long; the formula it fuses to an operator of its own, on every device.
 */
const VERSIONS = { irVersion: 8, operatorSet: 17 };

export interface Attention {
  /** [batch, heads, positions, keys]; sums to 1 over the keys. */
  weights: string;
  /** [batch × positions, state] */
  output: string;
}

export class Layers {
  readonly graph = new OnnxGraph(VERSIONS);
  /** What is computed in. */
  readonly type: FloatType;
  #checkpoint: Checkpoint;
  #file: WeightsFile;

  constructor(checkpoint: Checkpoint, file: WeightsFile, type: FloatType) {
    this.#checkpoint = checkpoint;
    this.#file = file;
    this.type = type;
  }

  /** A tensor of the checkpoint as it is stored, which may be another type than is computed in. */
  stored(name: string, shape: number[]): string {
    return this.#place([tensorOf(this.#checkpoint, name, shape)], name);
  }

  weights(name: string, shape: number[]): string {
    return this.#joined([tensorOf(this.#checkpoint, name, shape)], name);
  }

  number(value: number): string {
    const constant = this.graph.floats([], Float32Array.of(value));
    return this.type === 'float32' ? constant : this.graph.cast(constant, this.type);
  }

  /** Several linear layers of the same input at once, their results side by side. Bias is optional (`key` has none). */
  linear(input: string, names: string[], inputs: number, outputs: number): string {
    const key = names.join('+');
    const matrices = names.map((name) => tensorOf(this.#checkpoint, `${name}.weight`, [outputs, inputs]));
    const operands = [input, this.#joined(matrices, `${key}.weight`)];
    const biased = names.find((name) => this.#checkpoint.tensors.has(`${name}.bias`));
    if (biased) {
      const { type } = tensorOf(this.#checkpoint, `${biased}.bias`, [outputs]);
      const biases = names.map((name) =>
        this.#checkpoint.tensors.has(`${name}.bias`)
          ? tensorOf(this.#checkpoint, `${name}.bias`, [outputs])
          : zeros([outputs], type),
      );
      operands.push(this.#joined(biases, `${key}.bias`));
    }
    return this.graph.node('Gemm', operands, { transB: 1 });
  }

  /** `block.attn_ln` and the three projections of self-attention: each [batch × positions, state]. */
  project(input: string, block: string, index: number, state: number) {
    const joined = this.linear(
      this.norm(input, `${block}.attn_ln`, state),
      ['query', 'key', 'value'].map((name) => `${block}.attn.${name}`),
      state,
      state,
    );
    const [queries, keys, values] = [`q_${index}`, `k_${index}`, `v_${index}`] as const;
    this.graph.nodes('Split', [joined], [queries, keys, values], { axis: 1 });
    return { queries, keys, values };
  }

  norm(input: string, name: string, size: number): string {
    const [scale, shift] = ['weight', 'bias'].map((part) => this.weights(`${name}.${part}`, [size]));
    return this.graph.node('LayerNormalization', [input, scale!, shift!]);
  }

  add(a: string, b: string): string {
    return this.graph.node('Add', [a, b]);
  }

  /** x (1 + erf(x / √2)) / 2 */
  gelu(input: string): string {
    const error = this.graph.node('Erf', [this.graph.node('Div', [input, this.number(Math.SQRT2)])]);
    const doubled = this.graph.node('Mul', [input, this.add(error, this.number(1))]);
    return this.graph.node('Mul', [doubled, this.number(0.5)]);
  }

  /** `block.mlp_ln`, `block.mlp`, and the input added. */
  feedForward(input: string, block: string, size: number): string {
    const wide = this.linear(this.norm(input, `${block}.mlp_ln`, size), [`${block}.mlp.0`], size, 4 * size);
    return this.add(input, this.linear(this.gelu(wide), [`${block}.mlp.2`], 4 * size, size));
  }

  /** [batch × positions, state] to [batch, heads, positions, state / heads]. */
  splitHeads(input: string, shape: string): string {
    return this.graph.node('Transpose', [this.graph.node('Reshape', [input, shape])], { perm: [0, 2, 1, 3] });
  }

  /**
   * Softmax of queries × keys / √size, times values. `queries` and `values` are
   * [batch, heads, positions, size], `keys` [batch, heads, size, positions].
   */
  attend(
    queries: string,
    keys: string,
    values: string,
    size: { head: number; state: number },
    mask?: string,
  ): Attention {
    const scaled = this.graph.node('Mul', [queries, this.number(size.head ** -0.5)]);
    const scores = this.graph.node('MatMul', [scaled, keys]);
    const weights = this.graph.node('Softmax', [mask ? this.add(scores, mask) : scores]);
    const mixed = this.graph.node('Transpose', [this.graph.node('MatMul', [weights, values])], {
      perm: [0, 2, 1, 3],
    });
    const output = this.graph.node('Reshape', [mixed, this.graph.integers([-1, size.state])]);
    return { weights, output };
  }

  #joined(tensors: StoredTensor[], key: string): string {
    const placed = this.#place(tensors, key);
    return tensors[0]!.type === this.type ? placed : this.graph.cast(placed, this.type);
  }

  #place(tensors: StoredTensor[], key: string): string {
    return this.graph.external(this.#file.place(key, tensors));
  }
}

function zeros(shape: number[], type: FloatType): StoredTensor {
  return { type, shape, read: async () => new Uint8Array(sizeBytesOf({ type, shape })) };
}
