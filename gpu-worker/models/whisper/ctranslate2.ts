/**
 * Reads a Whisper model in the format of CTranslate2 (`model.bin`), in which packages carry it.
 *
 * The format, version 6: https://github.com/OpenNMT/CTranslate2/blob/v4.6.0/python/ctranslate2/specs/model_spec.py
 * (`_serialize`): a header, every variable with its name, shape, element type and bytes,
 * then aliases of variables. Queries, keys and values are one matrix there; they are taken
 * apart here into the tensors that OpenAI's checkpoints have, bit for bit.
 */
import type { FileBytes } from '../file-bytes.ts';
import { type Checkpoint, Dimensions, type FloatType, type StoredTensor } from './checkpoint.ts';

const VERSION = 6;
const MAX_VARIABLES = 100_000;
const MAX_RANK = 8;
const ELEMENT_BYTES = [4, 1, 2, 4, 2, 2] as const;
const FLOAT_TYPES: Record<number, FloatType> = { 0: 'float32', 4: 'float16' };
const INTEGER_READERS: Record<number, (bytes: Buffer) => number> = {
  1: (bytes) => bytes.readInt8(),
  2: (bytes) => bytes.readInt16LE(),
  3: (bytes) => bytes.readInt32LE(),
};

interface Variable {
  elementType: number;
  shape: number[];
  offset: number;
  sizeBytes: number;
}

/** Throws where the file is of another kind or version, is cut off, or holds quantised weights. */
export async function readCtranslate2(file: FileBytes): Promise<Checkpoint> {
  const variables = await readVariables(file);
  const floats = (name: string) => {
    const variable = variables.get(name);
    if (!variable) throw new Error(`the CTranslate2 model has no variable ${name}`);
    const type = FLOAT_TYPES[variable.elementType];
    if (!type) throw new Error(`the variable ${name} holds no floating point numbers`);
    return { ...variable, type };
  };
  const scalar = async (name: string) => {
    const variable = variables.get(name);
    const read = variable && INTEGER_READERS[variable.elementType];
    if (!read) throw new Error(`the CTranslate2 model has no number ${name}`);
    return read(await file.read(variable.offset, variable.sizeBytes));
  };
  const layersOf = (part: string) => {
    let count = 0;
    while (variables.has(`${part}/layer_${count}/self_attention/linear_0/weight`)) count++;
    return count;
  };
  const [nAudioState, nMels] = floats('encoder/conv1/weight').shape as [number, number];
  const [nVocab, nTextState] = floats('decoder/embeddings/weight').shape as [number, number];
  const dimensions = Dimensions.parse({
    nMels,
    nAudioCtx: floats('encoder/position_encodings/encodings').shape[0],
    nAudioState,
    nAudioHead: await scalar('encoder/num_heads'),
    nAudioLayer: layersOf('encoder'),
    nVocab,
    nTextCtx: floats('decoder/position_encodings/encodings').shape[0],
    nTextState,
    nTextHead: await scalar('decoder/num_heads'),
    nTextLayer: layersOf('decoder'),
  });
  const tensors = new Map<string, StoredTensor>();
  for (const { name, from, part = 0, parts = 1 } of renamed(dimensions)) {
    const { type, shape, offset, sizeBytes } = floats(from);
    const rows = shape[0]! / parts;
    if (!Number.isInteger(rows)) throw new Error(`the variable ${from} is not made of ${parts} parts`);
    const partBytes = sizeBytes / parts;
    tensors.set(name, {
      type,
      shape: [rows, ...shape.slice(1)],
      read: () => file.read(offset + part * partBytes, partBytes),
    });
  }
  return { dimensions, tensors };
}

async function readVariables(file: FileBytes): Promise<Map<string, Variable>> {
  let at = 0;
  const take = async (length: number) => {
    const bytes = await file.read(at, length);
    at += length;
    return bytes;
  };
  const uint32 = async () => (await take(4)).readUInt32LE();
  // The length counts the zero byte at the end.
  const text = async () => (await take((await take(2)).readUInt16LE())).toString().replace(/\0$/, '');
  const version = await uint32();
  if (version !== VERSION) throw new Error(`not a CTranslate2 model of version ${VERSION}: ${version}`);
  const kind = await text();
  if (kind !== 'WhisperSpec') throw new Error(`the CTranslate2 model is no Whisper model: ${kind}`);
  await uint32();
  const count = await uint32();
  if (count > MAX_VARIABLES) throw new Error(`the CTranslate2 model says it has ${count} variables`);
  const variables = new Map<string, Variable>();
  for (let i = 0; i < count; i++) {
    const name = await text();
    const rank = (await take(1))[0]!;
    if (rank > MAX_RANK) throw new Error(`the variable ${name} has ${rank} dimensions`);
    const shape: number[] = [];
    for (let axis = 0; axis < rank; axis++) shape.push(await uint32());
    const elementType = (await take(1))[0]!;
    const sizeBytes = await uint32();
    if (sizeBytes !== shape.reduce((product, size) => product * size, ELEMENT_BYTES[elementType] ?? 0)) {
      throw new Error(`the variable ${name} has not the size of its shape`);
    }
    variables.set(name, { elementType, shape, offset: at, sizeBytes });
    at += sizeBytes;
  }
  if (at > file.sizeBytes) throw new RangeError('the CTranslate2 model is cut off');
  for (let aliases = await uint32(); aliases > 0; aliases--) {
    const alias = await text();
    const variable = variables.get(await text());
    if (variable) variables.set(alias, variable);
  }
  return variables;
}

interface Renamed {
  name: string;
  from: string;
  /** Which of `parts` equal parts along the first axis. */
  part?: number;
  parts?: number;
}

function renamed({ nAudioLayer, nTextLayer }: Dimensions): Renamed[] {
  const both = (name: string, from: string) =>
    ['weight', 'bias'].map((part) => ({ name: `${name}.${part}`, from: `${from}/${part}` }));
  const norm = (name: string, from: string) => [
    { name: `${name}.weight`, from: `${from}/gamma` },
    { name: `${name}.bias`, from: `${from}/beta` },
  ];
  /** Keys have no bias in Whisper: CTranslate2 writes zeros for it. */
  const joined = (block: string, names: string[], from: string) =>
    names.flatMap((name, part) =>
      both(`${block}.${name}`, from)
        .filter((tensor) => tensor.name !== `${block}.key.bias`)
        .map((tensor) => ({ ...tensor, part, parts: names.length })),
    );
  const layer = (name: string, from: string) => [
    ...norm(`${name}.attn_ln`, `${from}/self_attention/layer_norm`),
    ...joined(`${name}.attn`, ['query', 'key', 'value'], `${from}/self_attention/linear_0`),
    ...both(`${name}.attn.out`, `${from}/self_attention/linear_1`),
    ...norm(`${name}.mlp_ln`, `${from}/ffn/layer_norm`),
    ...both(`${name}.mlp.0`, `${from}/ffn/linear_0`),
    ...both(`${name}.mlp.2`, `${from}/ffn/linear_1`),
  ];
  const crossAttention = (name: string, from: string) => [
    ...norm(`${name}.cross_attn_ln`, `${from}/attention/layer_norm`),
    ...both(`${name}.cross_attn.query`, `${from}/attention/linear_0`),
    ...joined(`${name}.cross_attn`, ['key', 'value'], `${from}/attention/linear_1`),
    ...both(`${name}.cross_attn.out`, `${from}/attention/linear_2`),
  ];
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
  return [
    ...both('encoder.conv1', 'encoder/conv1'),
    ...both('encoder.conv2', 'encoder/conv2'),
    { name: 'encoder.positional_embedding', from: 'encoder/position_encodings/encodings' },
    ...numbers(nAudioLayer).flatMap((i) => layer(`encoder.blocks.${i}`, `encoder/layer_${i}`)),
    ...norm('encoder.ln_post', 'encoder/layer_norm'),
    { name: 'decoder.token_embedding.weight', from: 'decoder/embeddings/weight' },
    { name: 'decoder.positional_embedding', from: 'decoder/position_encodings/encodings' },
    ...numbers(nTextLayer).flatMap((i) => [
      ...layer(`decoder.blocks.${i}`, `decoder/layer_${i}`),
      ...crossAttention(`decoder.blocks.${i}`, `decoder/layer_${i}`),
    ]),
    ...norm('decoder.ln', 'decoder/layer_norm'),
  ];
}
