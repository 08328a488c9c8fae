/** A Whisper of two layers with made-up weights, and the same weights in the formats that real ones come in. */
import type {
  Checkpoint,
  Dimensions,
  FloatType,
  StoredTensor,
} from '../../gpu-worker/models/whisper/checkpoint.ts';
import { zipFile } from './zip-file.ts';

export const tinyDimensions: Dimensions = {
  nMels: 4,
  nAudioCtx: 6,
  nAudioState: 8,
  nAudioHead: 2,
  nAudioLayer: 2,
  nVocab: 13,
  nTextCtx: 10,
  nTextState: 8,
  nTextHead: 2,
  nTextLayer: 2,
};

export interface Weights {
  shape: number[];
  values: Float32Array;
}

/** Under OpenAI's names; every value is exact in float16. */
export function tinyWeights(dimensions: Dimensions): Map<string, Weights> {
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.round((state / 2 ** 32 - 0.5) * 512) / 512;
  };
  const weights = new Map<string, Weights>();
  const add = (name: string, shape: number[], offset = 0) => {
    const count = shape.reduce((product, size) => product * size, 1);
    weights.set(name, { shape, values: Float32Array.from({ length: count }, () => offset + random()) });
  };
  const norm = (name: string, size: number) => {
    add(`${name}.weight`, [size], 1);
    add(`${name}.bias`, [size]);
  };
  const linear = (name: string, from: number, to: number) => {
    add(`${name}.weight`, [to, from]);
    if (!name.endsWith('.key')) add(`${name}.bias`, [to]);
  };
  const attention = (name: string, size: number) => {
    for (const part of ['query', 'key', 'value', 'out']) linear(`${name}.${part}`, size, size);
    norm(`${name}_ln`, size);
  };
  const { nMels, nAudioState, nAudioCtx, nTextState, nTextCtx, nVocab } = dimensions;
  for (const [name, from] of [
    ['conv1', nMels],
    ['conv2', nAudioState],
  ] as const) {
    add(`encoder.${name}.weight`, [nAudioState, from, 3]);
    add(`encoder.${name}.bias`, [nAudioState]);
  }
  add('encoder.positional_embedding', [nAudioCtx, nAudioState]);
  add('decoder.token_embedding.weight', [nVocab, nTextState]);
  add('decoder.positional_embedding', [nTextCtx, nTextState]);
  for (const [part, layers, size] of [
    ['encoder', dimensions.nAudioLayer, nAudioState],
    ['decoder', dimensions.nTextLayer, nTextState],
  ] as const) {
    for (let i = 0; i < layers; i++) {
      const block = `${part}.blocks.${i}`;
      attention(`${block}.attn`, size);
      if (part === 'decoder') attention(`${block}.cross_attn`, size);
      linear(`${block}.mlp.0`, size, 4 * size);
      linear(`${block}.mlp.2`, 4 * size, size);
      norm(`${block}.mlp_ln`, size);
    }
  }
  norm('encoder.ln_post', nAudioState);
  norm('decoder.ln', nTextState);
  return weights;
}

export function tinyCheckpoint(dimensions: Dimensions, type: FloatType): Checkpoint {
  const tensors = [...tinyWeights(dimensions)].map(([name, { shape, values }]): [string, StoredTensor] => [
    name,
    { type, shape, read: async () => numbers(values, type) },
  ]);
  return { dimensions, tensors: new Map(tensors) };
}

/** What `torch.save({'dims': …, 'model_state_dict': …})` writes in half precision. */
export function torchFile(
  dimensions: Dimensions,
  changes: { call?: string; strides?: boolean } = {},
): Buffer {
  const files: Record<string, Buffer> = {};
  const tensors = [...tinyWeights(dimensions)].map(([name, { shape, values }], key) => {
    // A transposed view, as PyTorch saves it: the numbers column by column.
    const turned = changes.strides && shape.length === 2;
    const [rows, columns] = shape as [number, number];
    const order = turned
      ? values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!)
      : values;
    files[`tiny/data/${key}`] = numbers(order, 'float16');
    const strides = turned
      ? [1, rows]
      : shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
    return [
      pickled.text(name),
      pickled.global('torch._utils', '_rebuild_tensor_v2'),
      '(',
      ...[
        '(',
        pickled.text('storage'),
        pickled.global('torch', 'HalfStorage'),
        pickled.text(String(key)),
        pickled.text('cpu'),
        pickled.int(values.length),
        't',
        'Q',
      ],
      pickled.int(0),
      ...['(', ...shape.map(pickled.int), 't', '(', ...strides.map(pickled.int), 't'],
      ...['\x89', pickled.global('collections', changes.call ?? 'OrderedDict'), ')', 'R', 't', 'R'],
    ];
  });
  const dims = Object.entries(dimensions).flatMap(([name, size]) => [
    pickled.text(name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)),
    pickled.int(size),
  ]);
  const pickle = [
    ...['\x80\x02', '}', '(', pickled.text('dims'), '}', '(', ...dims, 'u'],
    ...[pickled.text('model_state_dict'), pickled.global('collections', 'OrderedDict'), ')', 'R'],
    ...['(', ...tensors.flat(), 'u', 'u', '.'],
  ].join('');
  return zipFile(
    { 'tiny/data.pkl': Buffer.from(pickle, 'latin1'), 'tiny/byteorder': Buffer.from('little'), ...files },
    { zip64: true },
  );
}

/** Instructions of pickle, protocol 2, one byte a character. */
const pickled = {
  text: (value: string) => `X${binary(4, value.length)}${value}`,
  int: (value: number) => `J${binary(4, value)}`,
  global: (module: string, name: string) => `c${module}\n${name}\n`,
};

/** `model.bin` of CTranslate2, version 6. */
export function ctranslate2File(dimensions: Dimensions, type: FloatType = 'float16'): Buffer {
  const weights = tinyWeights(dimensions);
  const variables: [name: string, shape: number[], elementType: number, bytes: Buffer][] = [];
  const add = (name: string, ...parts: string[]) => {
    const tensors = parts.map(
      (part) => weights.get(part) ?? weights.get(part.replace('key.bias', 'query.bias'))!,
    );
    const values = tensors.flatMap((tensor, i) =>
      parts[i]!.endsWith('key.bias') ? [...tensor.values].fill(0) : [...tensor.values],
    );
    const shape = [tensors.reduce((sum, tensor) => sum + tensor.shape[0]!, 0), ...tensors[0]!.shape.slice(1)];
    variables.push([name, shape, type === 'float16' ? 4 : 0, numbers(Float32Array.from(values), type)]);
  };
  const linear = (name: string, ...parts: string[]) => {
    for (const kind of ['weight', 'bias']) add(`${name}/${kind}`, ...parts.map((part) => `${part}.${kind}`));
  };
  const norm = (name: string, part: string) => {
    add(`${name}/gamma`, `${part}.weight`);
    add(`${name}/beta`, `${part}.bias`);
  };
  for (const [part, layers, heads] of [
    ['encoder', dimensions.nAudioLayer, dimensions.nAudioHead],
    ['decoder', dimensions.nTextLayer, dimensions.nTextHead],
  ] as const) {
    variables.push([`${part}/num_heads`, [], 2, Buffer.from([heads, 0])]);
    add(`${part}/position_encodings/encodings`, `${part}.positional_embedding`);
    for (let i = 0; i < layers; i++) {
      const [to, from] = [`${part}/layer_${i}`, `${part}.blocks.${i}`];
      norm(`${to}/self_attention/layer_norm`, `${from}.attn_ln`);
      linear(
        `${to}/self_attention/linear_0`,
        ...['query', 'key', 'value'].map((name) => `${from}.attn.${name}`),
      );
      linear(`${to}/self_attention/linear_1`, `${from}.attn.out`);
      norm(`${to}/ffn/layer_norm`, `${from}.mlp_ln`);
      linear(`${to}/ffn/linear_0`, `${from}.mlp.0`);
      linear(`${to}/ffn/linear_1`, `${from}.mlp.2`);
      if (part === 'encoder') continue;
      norm(`${to}/attention/layer_norm`, `${from}.cross_attn_ln`);
      linear(`${to}/attention/linear_0`, `${from}.cross_attn.query`);
      linear(`${to}/attention/linear_1`, `${from}.cross_attn.key`, `${from}.cross_attn.value`);
      linear(`${to}/attention/linear_2`, `${from}.cross_attn.out`);
    }
  }
  for (const name of ['conv1', 'conv2']) linear(`encoder/${name}`, `encoder.${name}`);
  norm('encoder/layer_norm', 'encoder.ln_post');
  norm('decoder/layer_norm', 'decoder.ln');
  add('decoder/embeddings/weight', 'decoder.token_embedding.weight');
  const text = (value: string) => `${binary(2, value.length + 1) + value}\0`;
  const parts = [
    binary(4, 6) + text('WhisperSpec') + binary(4, 3) + binary(4, variables.length),
    ...variables.map(
      ([name, shape, elementType, bytes]) =>
        text(name) +
        binary(1, shape.length) +
        shape.map((size) => binary(4, size)).join('') +
        binary(1, elementType) +
        binary(4, bytes.length) +
        bytes.toString('latin1'),
    ),
    binary(4, 1) + text('decoder/projection/weight') + text('decoder/embeddings/weight'),
  ];
  return Buffer.from(parts.join(''), 'latin1');
}

/** A little-endian number of so many bytes, one a character. */
function binary(bytes: number, value: number): string {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer.toString('latin1', 0, bytes);
}

export function numbers(values: Float32Array, type: FloatType): Buffer {
  if (type === 'float32') return Buffer.from(Float32Array.from(values).buffer);
  return Buffer.from(Uint16Array.from(values, float16Bits).buffer);
}

/** For values that are exact in float16, as those here are: zero, or at least 2^-14. */
function float16Bits(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = (Math.abs(value) / 2 ** exponent - 1) * 1024;
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | fraction;
}
