/** Weights as PyTorch kept them before 1.6, written here as `torch.save` wrote them. */
import { describe, expect, test } from 'vitest';
import { parseStateDict } from '../../gpu-worker/models/torch/state-dict.ts';

const byte = (...values: number[]) => Buffer.from(values);
const count = (value: number) => {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt8(0x4a);
  bytes.writeInt32LE(value, 1);
  return bytes;
};
const text = (value: string) => {
  const length = Buffer.alloc(5);
  length.writeUInt8(0x58);
  length.writeUInt32LE(Buffer.byteLength(value), 1);
  return Buffer.concat([length, Buffer.from(value)]);
};
const named = (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`);
const tuple = (...items: Buffer[]) => Buffer.concat([byte(0x28), ...items, byte(0x74)]);
const pickle = (...content: Buffer[]) => Buffer.concat([byte(0x80, 2), ...content, byte(0x2e)]);

const header = [
  pickle(byte(0x8a, 10), Buffer.from('6cfc9c46f9206aa85019', 'hex')),
  pickle(byte(0x4d, 0xe9, 0x03)),
  pickle(byte(0x7d)),
];

interface Stored {
  type: 'FloatStorage' | 'LongStorage';
  offset: number;
  shape: number[];
  strides: number[];
}

function tensor({ type, offset, shape, strides }: Stored, values: number): Buffer {
  const storage = tuple(
    text('storage'),
    named('torch', type),
    text('7'),
    text('cpu'),
    count(values),
    byte(0x4e),
  );
  const orderedDict = Buffer.concat([named('collections', 'OrderedDict'), byte(0x29, 0x52)]);
  const args = tuple(
    ...[storage, byte(0x51), count(offset)],
    ...[tuple(...shape.map(count)), tuple(...strides.map(count)), byte(0x89), orderedDict],
  );
  return Buffer.concat([named('torch._utils', '_rebuild_tensor_v2'), args, byte(0x52)]);
}

/** A file with one storage and one tensor `weight` in it. */
function weights(stored: Stored, values: number[]): Buffer {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(values.length));
  const data =
    stored.type === 'LongStorage'
      ? Buffer.from(BigInt64Array.from(values.map(BigInt)).buffer)
      : Buffer.from(Float32Array.from(values).buffer);
  return Buffer.concat([
    ...header,
    pickle(byte(0x7d, 0x28), text('weight'), tensor(stored, values.length), byte(0x75)),
    pickle(byte(0x5d, 0x28), text('7'), byte(0x65)),
    ...[size, data],
  ]);
}

const floats = { type: 'FloatStorage', offset: 0, shape: [2, 3], strides: [3, 1] } as const;
const stored = (change: Partial<Stored> = {}): Stored => ({
  ...{ type: floats.type, offset: floats.offset },
  ...{ shape: [...floats.shape], strides: [...floats.strides] },
  ...change,
});

describe('weights', () => {
  test('are read row by row', () => {
    const { shape, data } = parseStateDict(weights(stored(), [1, 2, 3, 4, 5, 6])).get('weight')!;
    expect(shape).toEqual([2, 3]);
    expect([...data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('are put in order where the storage has them column by column, and from their offset on', () => {
    const transposed = stored({ offset: 1, strides: [1, 2] });
    const { data } = parseStateDict(weights(transposed, [0, 1, 4, 2, 5, 3, 6])).get('weight')!;
    expect([...data]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('that are counters are left out', () => {
    const counter = stored({ type: 'LongStorage', shape: [], strides: [] });
    expect([...parseStateDict(weights(counter, [99]))]).toEqual([]);
  });
});

describe('refuses', () => {
  test('to call what weights do not need', () => {
    const call = Buffer.concat([named('os', 'system'), tuple(text('true')), byte(0x52)]);
    const file = Buffer.concat([...header, pickle(call)]);
    expect(() => parseStateDict(file)).toThrow('the weights call os.system');
  });

  test('instructions that weights do not need', () => {
    // STACK_GLOBAL of a later protocol.
    const file = Buffer.concat([...header, pickle(text('os'), text('system'), byte(0x93))]);
    expect(() => parseStateDict(file)).toThrow('an instruction 0x93 that is not known');
  });

  test.each([
    ['beyond the end', stored({ offset: 1 })],
    ['far beyond it by its strides', stored({ strides: [1_000_000, 1] })],
    ['more than there is, again and again', stored({ shape: [1000, 1000], strides: [0, 0] })],
  ])('a tensor %s of its storage', (_, place) => {
    expect(() => parseStateDict(weights(place, [1, 2, 3, 4, 5, 6]))).toThrow(RangeError);
  });

  test('a file that ends too early, at whatever byte', () => {
    const file = weights(stored(), [1, 2, 3, 4, 5, 6]);
    for (let size = 0; size < file.length; size++) {
      expect(() => parseStateDict(file.subarray(0, size))).toThrow();
    }
  });

  test('a file of another kind', () => {
    expect(() => parseStateDict(pickle(byte(0x4d, 1, 0)))).toThrow('no weights as PyTorch kept them');
    expect(() => parseStateDict(Buffer.from('PK\x03\x04'))).toThrow();
  });
});
