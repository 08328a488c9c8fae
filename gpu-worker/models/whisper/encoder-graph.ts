/** Whisper's encoder as ONNX; graphs.ts says what goes in and out. */
import type { Checkpoint, FloatType } from './checkpoint.ts';
import { crossValues } from './graphs.ts';
import { Layers } from './layers.ts';
import type { WeightsFile } from './weights-file.ts';

/** The ONNX file, whose weights `file` will have. Throws where the checkpoint lacks any. */
export function encoderGraph(checkpoint: Checkpoint, file: WeightsFile, type: FloatType): Uint8Array {
  const sizes = checkpoint.dimensions;
  const { nMels, nAudioCtx, nAudioState: state, nAudioHead: heads, nTextState, nTextHead } = sizes;
  const size = { head: state / heads, state };
  const layers = new Layers(checkpoint, file, type);
  const { graph } = layers;
  const convolve = (input: string, name: string, inputs: number, stride: number) =>
    layers.gelu(
      graph.node(
        'Conv',
        [
          input,
          layers.weights(`${name}.weight`, [state, inputs, 3]),
          layers.weights(`${name}.bias`, [state]),
        ],
        { kernel_shape: [3], pads: [1, 1], strides: [stride] },
      ),
    );
  const mel = type === 'float32' ? 'mel' : graph.cast('mel', type);
  const convolved = convolve(convolve(mel, 'encoder.conv1', nMels, 1), 'encoder.conv2', state, 2);
  const positions = layers.weights('encoder.positional_embedding', [nAudioCtx, state]);
  const placed = layers.add(graph.node('Transpose', [convolved], { perm: [0, 2, 1] }), positions);
  let x = graph.node('Reshape', [placed, graph.integers([-1, state])]);

  const headShape = graph.integers([-1, nAudioCtx, heads, size.head]);
  for (let i = 0; i < sizes.nAudioLayer; i++) {
    const block = `encoder.blocks.${i}`;
    const { queries, keys, values } = layers.project(x, block, i, state);
    const attention = layers.attend(
      layers.splitHeads(queries, headShape),
      graph.node('Transpose', [graph.node('Reshape', [keys, headShape])], { perm: [0, 2, 3, 1] }),
      layers.splitHeads(values, headShape),
      size,
    );
    x = layers.add(x, layers.linear(attention.output, [`${block}.attn.out`], state, state));
    x = layers.feedForward(x, block, state);
  }
  const heard = layers.norm(x, 'encoder.ln_post', state);

  const crossShape = graph.integers([-1, nAudioCtx, nTextHead, nTextState / nTextHead]);
  for (let i = 0; i < sizes.nTextLayer; i++) {
    for (const [name, output, perm] of [
      ['key', `cross_k_${i}`, [0, 2, 3, 1]],
      ['value', `cross_v_${i}`, [0, 2, 1, 3]],
    ] as const) {
      const projected = layers.linear(heard, [`decoder.blocks.${i}.cross_attn.${name}`], state, nTextState);
      graph.node('Transpose', [graph.node('Reshape', [projected, crossShape])], { perm: [...perm] }, output);
    }
  }
  return graph.encode([{ name: 'mel', dims: ['B', nMels, 2 * nAudioCtx] }], crossValues(sizes, type));
}
