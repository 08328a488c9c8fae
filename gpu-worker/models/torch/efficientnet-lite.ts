/**
 * EfficientNet-Lite0 as ONNX, without its last layer: of a picture it gives the 1280 features
 * from which the classes of ImageNet would be told.
 *
 * The network is EfficientNet-B0 (Tan and Le 2019, https://arxiv.org/abs/1905.11946) without
 * squeeze-and-excitation and with ReLU6:
 * https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite. Weight
 * files of PyTorch hold no graph, so the graph is written down here. Batch normalisation is
 * folded into the convolution before it. The result is the same to the byte on every machine.
 */
import { OnnxGraph } from '../onnx/graph.ts';
import type { Tensor } from '../tfjs/tensor.ts';

/** Of the TensorFlow models that the weights come from. */
const BATCH_NORM_EPSILON = 1e-3;
const INPUT_PIXELS = 224;

/** Stages: so many blocks, kernel, stride of the first block, expansion. Channels are in the weights. */
const STAGES = [
  [1, 3, 1, 1],
  [2, 3, 2, 6],
  [2, 5, 2, 6],
  [3, 3, 2, 6],
  [3, 5, 1, 6],
  [4, 5, 2, 6],
  [1, 3, 1, 6],
] as const;

interface Layer {
  kernel: number;
  stride: number;
  depthwise?: boolean;
  clipped?: boolean;
}

/** The ONNX file: `input`, float32, [N, 3, 224, 224]; `embedding`, float32, [N, 1280]. */
export function convertEfficientNetLite0(weights: ReadonlyMap<string, Tensor>): Uint8Array {
  const graph = new OnnxGraph();
  const bounds = [0, 6].map((bound) => graph.floats([], Float32Array.of(bound)));

  function convolution(input: string, name: string, batchNorm: string, layer: Layer): string {
    const { kernel, stride, depthwise = false, clipped = true } = layer;
    const { shape, data, bias } = folded(weights, name, batchNorm);
    const convolved = graph.node(
      'Conv',
      [input, graph.floats(shape, data), graph.floats([bias.length], bias)],
      {
        kernel_shape: [kernel, kernel],
        strides: [stride, stride],
        group: depthwise ? shape[0]! : 1,
        // TensorFlow's SAME, by which the weights were trained.
        auto_pad: 'SAME_UPPER',
      },
    );
    return clipped ? graph.node('Clip', [convolved, ...bounds]) : convolved;
  }

  function block(input: string, index: number, layer: Layer, expansion: number, first: boolean): string {
    const name = `_blocks.${index}`;
    const wide =
      expansion === 1
        ? input
        : convolution(input, `${name}._expand_conv`, `${name}._bn0`, { kernel: 1, stride: 1 });
    const filtered = convolution(wide, `${name}._depthwise_conv`, `${name}._bn1`, {
      ...layer,
      depthwise: true,
    });
    const projected = convolution(filtered, `${name}._project_conv`, `${name}._bn2`, {
      ...{ kernel: 1, stride: 1, clipped: false },
    });
    return first ? projected : graph.node('Add', [projected, input]);
  }

  let value = convolution('input', '_conv_stem', '_bn0', { kernel: 3, stride: 2 });
  let index = 0;
  for (const [blocks, kernel, stride, expansion] of STAGES) {
    for (let i = 0; i < blocks; i++)
      value = block(value, index++, { kernel, stride: i === 0 ? stride : 1 }, expansion, i === 0);
  }
  value = convolution(value, '_conv_head', '_bn1', { kernel: 1, stride: 1 });
  graph.node('ReduceMean', [value], { axes: [2, 3], keepdims: 0 }, 'embedding');
  return graph.encode(
    [{ name: 'input', dims: ['N', 3, INPUT_PIXELS, INPUT_PIXELS] }],
    [{ name: 'embedding' }],
  );
}

/** A convolution's kernel (OIHW, as ONNX wants it) and bias, with the batch normalisation behind it. */
function folded(weights: ReadonlyMap<string, Tensor>, name: string, batchNorm: string) {
  const find = (key: string) => {
    const tensor = weights.get(key);
    if (!tensor) throw new Error(`the weights have no ${key}`);
    return tensor;
  };
  const { shape, data } = find(`${name}.weight`);
  const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
    (part) => find(`${batchNorm}.${part}`).data,
  );
  const outputs = shape[0]!;
  const perOutput = data.length / outputs;
  const scaled = new Float32Array(data.length);
  const bias = new Float32Array(outputs);
  for (let output = 0; output < outputs; output++) {
    const factor = gamma![output]! / Math.sqrt(variance![output]! + BATCH_NORM_EPSILON);
    bias[output] = beta![output]! - mean![output]! * factor;
    for (let i = output * perOutput; i < (output + 1) * perOutput; i++) scaled[i] = data[i]! * factor;
  }
  return { shape, data: scaled, bias };
}
