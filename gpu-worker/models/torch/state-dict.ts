/**
 * Reads the weights that PyTorch's `torch.save` wrote before version 1.6: five pickles (a magic
 * number, the version, the sizes of types, the tensors by name, the order of the storages), and
 * behind them each storage as a count and its elements.
 *
 * Source: `_legacy_load` in https://github.com/pytorch/pytorch/blob/v2.5.0/torch/serialization.py
 */
import { z } from 'zod';
import type { Tensor } from '../tfjs/tensor.ts';
import { PythonName, readPickle } from './pickle.ts';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;

const ELEMENT_BYTES: Record<string, number> = { 'torch.FloatStorage': 4, 'torch.LongStorage': 8 };

interface Storage {
  key: string;
  type: string;
}

/** A tensor's place in its storage. */
interface Placed {
  storage: Storage;
  offset: number;
  shape: number[];
  /** Elements from one index of an axis to the next. */
  strides: number[];
}

const sizes = z.array(z.int().nonnegative()).max(8);
const TensorArguments = z.tuple([z.custom<Storage>(), z.int().nonnegative(), sizes, sizes]).rest(z.unknown());
const StorageId = z.tuple([z.literal('storage'), z.instanceof(PythonName), z.string()]).rest(z.unknown());

/**
 * The float32 tensors by name; counters and the like are left out. Throws for a file of another kind.
 *
 * @param section where the tensors are one entry of several, as in what training saves to go on from.
 */
export function parseStateDict(bytes: Buffer, section?: string): Map<string, Tensor> {
  const types = new Map<string, string>();
  const reader = {
    call(name: string, args: unknown[]): unknown {
      if (name === 'collections.OrderedDict') return new Map();
      if (name === 'torch._utils._rebuild_tensor_v2') return placed(args);
      throw new Error(`the weights call ${name}`);
    },
    persistent(id: unknown): Storage {
      const [, type, key] = StorageId.parse(id);
      types.set(key, type.name);
      return { key, type: type.name };
    },
  };
  let at = 0;
  const next = () => {
    const { value, end } = readPickle(bytes, at, reader);
    at = end;
    return value;
  };
  if (next() !== MAGIC || next() !== PROTOCOL_VERSION)
    throw new Error('these are no weights as PyTorch kept them before 1.6');
  next();
  const saved = z.map(z.string(), z.unknown()).parse(next());
  const tensors = z
    .map(z.string(), z.custom<Placed>())
    .parse(section === undefined ? saved : saved.get(section));
  const starts = new Map<string, { start: number; count: number }>();
  for (const key of z.array(z.string()).parse(next())) {
    const count = Number(bytes.readBigUInt64LE(at));
    starts.set(key, { start: at + 8, count });
    at += 8 + count * (ELEMENT_BYTES[types.get(key) ?? ''] ?? Number.NaN);
  }
  const floats = [...tensors].filter(([, { storage }]) => storage.type === 'torch.FloatStorage');
  return new Map(floats.map(([name, tensor]) => [name, readFloats(bytes, tensor, starts)]));
}

function placed(args: unknown[]): Placed {
  const [storage, offset, shape, strides] = TensorArguments.parse(args);
  if (shape.length !== strides.length) throw new Error('a tensor has other strides than axes');
  return { storage, offset, shape, strides };
}

/** In row-major order, in whatever order of its axes the storage has it. */
function readFloats(
  bytes: Buffer,
  { storage, offset, shape, strides }: Placed,
  starts: ReadonlyMap<string, { start: number; count: number }>,
): Tensor {
  const place = starts.get(storage.key);
  const size = shape.reduce((a, b) => a * b, 1);
  const last = shape.reduce((sum, length, axis) => sum + (length - 1) * strides[axis]!, offset);
  if (!place || size > place.count || last >= place.count)
    throw new RangeError('a tensor lies outside of its storage');
  const data = new Float32Array(size);
  const index = shape.map(() => 0);
  let element = offset;
  for (let i = 0; i < size; i++) {
    data[i] = bytes.readFloatLE(place.start + element * 4);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      element += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      element -= index[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return { shape, data };
}
