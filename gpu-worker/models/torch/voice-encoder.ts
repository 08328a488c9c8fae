/**
 * Resemblyzer's voice encoder as ONNX: sound in, a vector that tells voices apart out.
 *
 * Three LSTM layers over 40 mel bands and one dense layer, trained so that utterances of one
 * voice lie close together (generalised end-to-end loss, Wan et al. 2017,
 * https://arxiv.org/abs/1710.10467). Weight files of PyTorch hold no graph, so the graph is
 * written down here, after https://github.com/resemble-ai/Resemblyzer (voice_encoder.py). The
 * spectrogram that goes in is part of it: what librosa computes, a Fourier transform of
 * 25 ms every 10 ms, written as a convolution. The result is the same to the byte on every
 * machine.
 */
import { OnnxGraph } from '../onnx/graph.ts';
import type { Tensor } from '../tfjs/tensor.ts';

const SAMPLE_RATE = 16_000;
const FFT_SAMPLES = 400;
const HOP_SAMPLES = 160;
const BINS = FFT_SAMPLES / 2 + 1;
const MEL_BANDS = 40;
const LAYERS = 3;
const HIDDEN = 256;

/** PyTorch keeps an LSTM's gates as input, forget, cell, output; ONNX wants input, output, forget, cell. */
const GATES_IN_PYTORCH = [0, 3, 1, 2];

/** No voice has a vector this short, and silence is not divided by zero. */
const LEAST_LENGTH = 1e-6;

/**
 * The ONNX file: `input`, float32, [N, samples], 16 kHz in -1..1, at least 25 ms; `embedding`,
 * float32, [N, 256], of length 1. n frames of 10 ms need 240 + 160 n samples.
 */
export function convertVoiceEncoder(weights: ReadonlyMap<string, Tensor>): Uint8Array {
  const graph = new OnnxGraph();
  const tensor = (name: string) => {
    const found = weights.get(name);
    if (!found) throw new Error(`the voice encoder has no weights ${name}`);
    return found;
  };
  // From here on [frames, N, values], as LSTMs want it.
  let sequence = graph.node('Transpose', [spectrogram(graph)], { perm: [2, 0, 1] });
  for (let layer = 0; layer < LAYERS; layer++) {
    const part = (name: string) => tensor(`lstm.${name}_l${layer}`);
    const lstm = graph.nodes(
      'LSTM',
      [
        sequence,
        gates(graph, part('weight_ih')),
        gates(graph, part('weight_hh')),
        graph.floats(
          [1, 8 * HIDDEN],
          Float32Array.from([...reordered(part('bias_ih')), ...reordered(part('bias_hh'))]),
        ),
      ],
      [`all_${layer}`, `last_${layer}`],
      { hidden_size: HIDDEN },
    );
    // Of the last layer only the last frame counts; the axis that goes is the one of directions.
    const isLast = layer === LAYERS - 1;
    sequence = graph.node('Squeeze', [lstm[isLast ? 1 : 0]!, graph.integers([isLast ? 0 : 1])]);
  }
  const { shape, data } = tensor('linear.weight');
  const dense = graph.node(
    'Gemm',
    [
      sequence,
      graph.floats(shape, Float32Array.from(data)),
      graph.floats([HIDDEN], Float32Array.from(tensor('linear.bias').data)),
    ],
    { transB: 1 },
  );
  const raw = graph.node('Relu', [dense]);
  const length = graph.node('ReduceL2', [raw], { axes: [1], keepdims: 1 });
  const divisor = graph.node('Max', [length, graph.floats([], Float32Array.of(LEAST_LENGTH))]);
  graph.node('Div', [raw, divisor], {}, 'embedding');
  return graph.encode(
    [{ name: 'input', dims: ['N', 'samples'] }],
    [{ name: 'embedding', dims: ['N', HIDDEN] }],
  );
}

/** Power in mel bands, [N, 40, frames]. */
function spectrogram(graph: OnnxGraph): string {
  const sound = graph.node('Unsqueeze', ['input', graph.integers([1])]);
  const transformed = graph.node(
    'Conv',
    [sound, graph.floats([2 * BINS, 1, FFT_SAMPLES], fourierKernels())],
    {
      kernel_shape: [FFT_SAMPLES],
      strides: [HOP_SAMPLES],
    },
  );
  const squared = graph.node('Mul', [transformed, transformed]);
  // The squares of the real and the imaginary part of a bin go into its band alike.
  const bands = new Float32Array(MEL_BANDS * 2 * BINS);
  for (const [band, row] of melBands().entries()) bands.set([...row, ...row], band * 2 * BINS);
  return graph.node('Conv', [squared, graph.floats([MEL_BANDS, 2 * BINS, 1], bands)], { kernel_shape: [1] });
}

/** Cosines, then sines, of each bin, under a Hann window. */
function fourierKernels(): Float32Array {
  const kernels = new Float32Array(2 * BINS * FFT_SAMPLES);
  const turn = (2 * Math.PI) / FFT_SAMPLES;
  for (let bin = 0; bin < BINS; bin++) {
    for (let i = 0; i < FFT_SAMPLES; i++) {
      const hann = 0.5 - 0.5 * Math.cos(turn * i);
      const angle = turn * ((bin * i) % FFT_SAMPLES);
      kernels[bin * FFT_SAMPLES + i] = hann * Math.cos(angle);
      kernels[(BINS + bin) * FFT_SAMPLES + i] = hann * Math.sin(angle);
    }
  }
  return kernels;
}

/** Triangles of equal area, evenly spaced on Slaney's scale: linear up to 1 kHz, logarithmic above. */
function melBands(): number[][] {
  const top = 15 + (27 * Math.log(SAMPLE_RATE / 2 / 1000)) / Math.log(6.4);
  const edges = Array.from({ length: MEL_BANDS + 2 }, (_, i) => hertz((top * i) / (MEL_BANDS + 1)));
  return Array.from({ length: MEL_BANDS }, (_, band) => {
    const [low, middle, high] = edges.slice(band, band + 3) as [number, number, number];
    return Array.from({ length: BINS }, (_, bin) => {
      const at = (bin * SAMPLE_RATE) / FFT_SAMPLES;
      const height = Math.max(0, Math.min((at - low) / (middle - low), (high - at) / (high - middle)));
      return (height * 2) / (high - low);
    });
  });
}

function hertz(mel: number): number {
  return mel < 15 ? (mel * 200) / 3 : 1000 * Math.exp(((mel - 15) * Math.log(6.4)) / 27);
}

function gates(graph: OnnxGraph, weights: Tensor): string {
  return graph.floats([1, ...weights.shape], reordered(weights));
}

function reordered({ shape, data }: Tensor): Float32Array {
  const size = (shape[0]! / 4) * (shape[1] ?? 1);
  const result = new Float32Array(data.length);
  for (const [to, from] of GATES_IN_PYTORCH.entries()) {
    result.set(data.subarray(from * size, (from + 1) * size), to * size);
  }
  return result;
}
