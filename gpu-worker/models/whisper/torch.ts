/**
 * Reads OpenAI's own Whisper checkpoints: what `torch.save` writes, a ZIP archive with a pickle
 * (`data.pkl`) of the sizes and of tensors' shapes, and one entry of raw numbers per tensor.
 * https://github.com/pytorch/pytorch/blob/v2.9.0/torch/serialization.py
 */
import { z } from 'zod';
import type { FileBytes } from '../file-bytes.ts';
import { PythonName, readPickle } from '../torch/pickle.ts';
import { readZipEntries, readZipEntry, storedOffset, type ZipEntry } from '../zip.ts';
import { BYTES_OF, type Checkpoint, Dimensions, type FloatType, type StoredTensor } from './checkpoint.ts';

const MAX_PICKLE_BYTES = 16 * 1024 * 1024;
const STORAGE_TYPES: Record<string, FloatType> = {
  'torch.HalfStorage': 'float16',
  'torch.FloatStorage': 'float32',
};

interface Storage {
  type: FloatType;
  key: string;
}

class TorchTensor {
  readonly storage: Storage;
  readonly offset: number;
  readonly shape: number[];
  readonly strides: number[];

  constructor(storage: Storage, offset: number, shape: number[], strides: number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

const Index = z.int().nonnegative();
const PersistentId = z.tuple([z.literal('storage'), z.instanceof(PythonName), z.string()], z.unknown());
const RebuildArguments = z.tuple(
  [
    z.custom<Storage>((value) => typeof value === 'object' && value !== null && 'key' in value),
    Index,
    z.array(Index).max(4),
    z.array(Index).max(4),
  ],
  z.unknown(),
);
const CheckpointValues = z.object({
  dims: z
    .map(z.string(), z.number())
    .transform((sizes) => Object.fromEntries([...sizes].map(([name, size]) => [camelCase(name), size]))),
  model_state_dict: z.map(z.string(), z.instanceof(TorchTensor)),
});

/** Throws where the file is none of these, is damaged, or would call a function of Python. */
export async function readTorch(file: FileBytes): Promise<Checkpoint> {
  const entries = await readZipEntries(file);
  const pickleEntry = [...entries.values()].find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (!pickleEntry) throw new Error('the archive has no data.pkl: it is no PyTorch checkpoint');
  const folder = pickleEntry.name.slice(0, -'data.pkl'.length);
  const order = entries.get(`${folder}byteorder`);
  if (order && (await contentOf(file, order)).toString() !== 'little') {
    throw new Error('the PyTorch checkpoint is not little endian');
  }
  const { value: pickled } = readPickle(await contentOf(file, pickleEntry), 0, { call, persistent });
  if (!(pickled instanceof Map)) throw new Error('the PyTorch checkpoint is no dictionary');
  const values = CheckpointValues.parse(Object.fromEntries(pickled));
  const tensors = new Map<string, StoredTensor>();
  for (const [name, tensor] of values.model_state_dict) {
    const entry = entries.get(`${folder}data/${tensor.storage.key}`);
    if (!entry) throw new Error(`the PyTorch checkpoint has no numbers for ${name}`);
    tensors.set(name, storedTensor(file, entry, tensor));
  }
  return { dimensions: Dimensions.parse(values.dims), tensors };
}

function call(name: string, args: unknown[]): unknown {
  if (name === 'collections.OrderedDict' && args.length === 0) return new Map();
  if (name === 'torch._utils._rebuild_tensor_v2') {
    const [storage, offset, shape, strides] = RebuildArguments.parse(args);
    return new TorchTensor(storage, offset, shape, strides);
  }
  throw new Error(`the PyTorch checkpoint wants to call ${name}`);
}

function persistent(id: unknown): Storage {
  const [, { name }, key] = PersistentId.parse(id);
  const type = STORAGE_TYPES[name];
  if (!type) throw new Error(`the PyTorch checkpoint has numbers of the type ${name}`);
  return { type, key };
}

function storedTensor(file: FileBytes, entry: ZipEntry, tensor: TorchTensor): StoredTensor {
  const { storage, offset, shape, strides } = tensor;
  const unit = BYTES_OF[storage.type];
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), 0);
  if (strides.length !== shape.length || shape.includes(0) || (offset + last + 1) * unit > entry.sizeBytes) {
    throw new Error(`the PyTorch checkpoint has a tensor that exceeds its numbers, ${entry.name}`);
  }
  return {
    type: storage.type,
    shape,
    async read() {
      const start = (await storedOffset(file, entry)) + offset * unit;
      return inRowMajorOrder(await file.read(start, (last + 1) * unit), shape, strides, unit);
    },
  };
}

/** A tensor may be a transposed view of its numbers. */
function inRowMajorOrder(numbers: Buffer, shape: number[], strides: number[], unit: number): Buffer {
  const count = shape.reduce((product, size) => product * size, 1);
  let rowMajor = 1;
  const contiguous = shape.toReversed().every((size, i) => {
    const expected = rowMajor;
    rowMajor *= size;
    return size === 1 || strides.at(-1 - i) === expected;
  });
  if (contiguous) return numbers;
  const ordered = Buffer.alloc(count * unit);
  for (let i = 0; i < count; i++) {
    let rest = i;
    let from = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += (rest % shape[axis]!) * strides[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    numbers.copy(ordered, i * unit, from * unit, (from + 1) * unit);
  }
  return ordered;
}

async function contentOf(file: FileBytes, entry: ZipEntry): Promise<Buffer> {
  if (entry.sizeBytes > MAX_PICKLE_BYTES) throw new Error(`${entry.name} has ${entry.sizeBytes} bytes`);
  const chunks: Buffer[] = [];
  for await (const chunk of readZipEntry(file, entry)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `n_text_ctx` is `nTextCtx`. */
function camelCase(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
