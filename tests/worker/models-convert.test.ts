/** Converted graphs must compute what TensorFlow computes; here it is computed anew, NHWC, from the definitions. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { parseGraphModel } from '../../gpu-worker/models/tfjs/graph-model.ts';
import { convertToOnnx } from '../../gpu-worker/models/tfjs/to-onnx.ts';

/** A picture or feature map: `at(y, x, channel)`. */
interface Map3 {
  height: number;
  width: number;
  channels: number;
  at(y: number, x: number, channel: number): number;
}

interface Weights {
  name: string;
  shape: number[];
  values: number[];
  dtype?: 'float32' | 'int32';
  half?: boolean;
}

interface NodeJson {
  name: string;
  op: string;
  input?: string[];
  attr?: Record<string, unknown>;
}

const text = (value: string) => Buffer.from(value).toString('base64');
const ints = (...values: number[]) => ({ list: { i: values.map(String) } });

function graphModel(nodes: NodeJson[], weights: Weights[]) {
  const bytes = weights.flatMap(({ values, dtype, half }) =>
    values.map((value) => {
      const buffer = Buffer.alloc(half ? 2 : 4);
      if (half) buffer.writeUInt16LE(halfBits(value));
      else if (dtype === 'int32') buffer.writeInt32LE(value);
      else buffer.writeFloatLE(value);
      return buffer;
    }),
  );
  const json = {
    format: 'graph-model',
    modelTopology: {
      node: [
        { name: 'picture', op: 'Placeholder' },
        ...weights.map(({ name }) => ({ name, op: 'Const' })),
        ...nodes,
      ],
    },
    weightsManifest: [
      {
        weights: weights.map(({ name, shape, dtype = 'float32', half }) => ({
          name,
          shape,
          dtype,
          ...(half ? { quantization: { dtype: 'float16' } } : {}),
        })),
      },
    ],
  };
  return parseGraphModel(JSON.stringify(json), Buffer.concat(bytes));
}

/** Exact for multiples of 1/64 below 16. */
function halfBits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = (Math.abs(value) / 2 ** exponent - 1) * 1024;
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}

/** Steady numbers between -2 and 2 in steps of 1/64. */
const numbers = (count: number, seed: number) =>
  Array.from({ length: count }, (_, i) => (((i + seed) * 7919) % 257) / 64 - 2);

const side = 7;
const pixels = numbers(side * side * 3, 5);
const picture: Map3 = {
  ...{ height: side, width: side, channels: 3 },
  at: (y, x, channel) => pixels[(y * side + x) * 3 + channel]!,
};

async function run(nodes: NodeJson[], weights: Weights[]) {
  const model = graphModel(nodes, weights);
  const onnx = convertToOnnx(model, { inputPixels: side, outputs: { result: nodes.at(-1)!.name } });
  const session = await InferenceSession.create(onnx);
  const planes = [0, 1, 2].flatMap((channel) => pixels.filter((_, i) => i % 3 === channel));
  const input = new Tensor('float32', Float32Array.from(planes), [1, 3, side, side]);
  return (await session.run({ input })).result!;
}

function expectMap(result: Tensor, expected: Map3): void {
  const { height, width, channels } = expected;
  expect(result.dims).toEqual([1, channels, height, width]);
  const values = result.data as Float32Array;
  for (let channel = 0; channel < channels; channel++) {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const value = values[(channel * height + y) * width + x]!;
        expect(value).toBeCloseTo(expected.at(y, x, channel), 3);
      }
    }
  }
}

/** TensorFlow's SAME: as many outputs as input / stride, rounded up; the odd padding at the end. */
function convolve(
  input: Map3,
  outputs: number,
  stride: number,
  term: (pixel: (channel: number) => number, dy: number, dx: number, output: number) => number,
): Map3 {
  const size = Math.ceil(input.height / stride);
  const before = Math.floor(Math.max((size - 1) * stride + 3 - input.height, 0) / 2);
  const inside = (at: number) => at >= 0 && at < input.height;
  return {
    ...{ height: size, width: size, channels: outputs },
    at(y, x, output) {
      let sum = 0;
      for (let dy = 0; dy < 3; dy++) {
        for (let dx = 0; dx < 3; dx++) {
          const [sy, sx] = [y * stride + dy - before, x * stride + dx - before];
          if (inside(sy) && inside(sx)) sum += term((channel) => input.at(sy, sx, channel), dy, dx, output);
        }
      }
      return sum;
    },
  };
}

const convolution = {
  ...{ strides: ints(1, 2, 2, 1), dilations: ints(1, 1, 1, 1), padding: { s: text('SAME') } },
};

test('a fused convolution: half-precision kernel, stride, padding, bias, activation', async () => {
  const kernel = numbers(3 * 3 * 3 * 4, 1);
  const bias = numbers(4, 2);
  const result = await run(
    [
      {
        name: 'convolved',
        op: '_FusedConv2D',
        input: ['picture', 'kernel', 'bias'],
        attr: { ...convolution, fused_ops: { list: { s: [text('BiasAdd'), text('Relu')] } } },
      },
    ],
    [
      { name: 'kernel', shape: [3, 3, 3, 4], values: kernel, half: true },
      { name: 'bias', shape: [4], values: bias },
    ],
  );
  const plain = convolve(picture, 4, 2, (pixel, dy, dx, output) =>
    [0, 1, 2].reduce((sum, c) => sum + pixel(c) * kernel[((dy * 3 + dx) * 3 + c) * 4 + output]!, 0),
  );
  expectMap(result, { ...plain, at: (y, x, c) => Math.max(0, plain.at(y, x, c) + bias[c]!) });
});

test('a depthwise convolution with a multiplier', async () => {
  const kernel = numbers(3 * 3 * 3 * 2, 3);
  const result = await run(
    [
      {
        name: 'convolved',
        op: 'DepthwiseConv2dNative',
        input: ['picture', 'kernel'],
        attr: { ...convolution, strides: ints(1, 1, 1, 1) },
      },
    ],
    [{ name: 'kernel', shape: [3, 3, 3, 2], values: kernel }],
  );
  expectMap(
    result,
    convolve(
      picture,
      6,
      1,
      (pixel, dy, dx, output) =>
        pixel(output >> 1) * kernel[((dy * 3 + dx) * 3 + (output >> 1)) * 2 + (output & 1)]!,
    ),
  );
});

test('constants are broadcast along the channels', async () => {
  const [factor, limit] = [numbers(3, 4), numbers(1, 6)];
  const result = await run(
    [
      { name: 'product', op: 'Mul', input: ['picture', 'factor'] },
      { name: 'least', op: 'Maximum', input: ['product', 'limit'] },
      { name: 'sum', op: 'Add', input: ['least', 'picture'] },
      { name: 'clipped', op: 'Relu6', input: ['sum'] },
    ],
    [
      { name: 'factor', shape: [3], values: factor },
      { name: 'limit', shape: [], values: limit },
    ],
  );
  const sum = (y: number, x: number, c: number) =>
    Math.max(picture.at(y, x, c) * factor[c]!, limit[0]!) + picture.at(y, x, c);
  expectMap(result, { ...picture, at: (y, x, c) => Math.min(6, Math.max(0, sum(y, x, c))) });
});

test('the mean over the picture, kept as a map or not', async () => {
  const mean = (c: number) => pixels.filter((_, i) => i % 3 === c).reduce((a, b) => a + b, 0) / side ** 2;
  const axes: Weights = { name: 'axes', shape: [2], values: [1, 2], dtype: 'int32' };
  const node = { name: 'mean', op: 'Mean', input: ['picture', 'axes'] };

  const vector = await run([node], [axes]);
  expect(vector.dims).toEqual([1, 3]);
  [0, 1, 2].forEach((c) => void expect((vector.data as Float32Array)[c]).toBeCloseTo(mean(c), 4));

  const map = await run([{ ...node, attr: { keep_dims: { b: true } } }], [axes]);
  expectMap(map, { height: 1, width: 1, channels: 3, at: (_y, _x, c) => mean(c) });
});

test('a picture that is enlarged and joined to others by channel', async () => {
  const result = await run(
    [
      { name: 'large', op: 'ResizeBilinear', input: ['picture', 'size'] },
      { name: 'bent', op: 'Sigmoid', input: ['large'] },
      { name: 'joined', op: 'ConcatV2', input: ['large', 'bent', 'axis'] },
    ],
    [
      { name: 'size', shape: [2], values: [14, 14], dtype: 'int32' },
      { name: 'axis', shape: [], values: [3], dtype: 'int32' },
    ],
  );
  // Twice the size, corners not aligned: even pixels are the old ones, odd ones lie half-way, the last repeats.
  const large = (y: number, x: number, c: number) => {
    const [y0, x0] = [y >> 1, x >> 1];
    const [y1, x1] = [Math.min(side - 1, (y + 1) >> 1), Math.min(side - 1, (x + 1) >> 1)];
    return (
      (picture.at(y0, x0, c) + picture.at(y0, x1, c) + picture.at(y1, x0, c) + picture.at(y1, x1, c)) / 4
    );
  };
  expectMap(result, {
    ...{ height: 14, width: 14, channels: 6 },
    at: (y, x, c) => (c < 3 ? large(y, x, c) : 1 / (1 + Math.exp(-large(y, x, c - 3)))),
  });
});

test('an operator that is not known is an error with its name', async () => {
  const nodes = [{ name: 'strange', op: 'FFT3D', input: ['picture'] }];
  await expect(run(nodes, [])).rejects.toThrow('no conversion for the TensorFlow operator FFT3D (strange)');
});

test('a model with weights missing is an error', () => {
  expect(() => graphModel([], [{ name: 'w', shape: [4], values: [1, 2, 3] }])).toThrow(RangeError);
});
