/**
 * Writes protocol buffers, as far as ONNX needs them: varints, strings, bytes and
 * nested messages, each a function from a field number and a value to the field's bytes.
 * A message is its fields one after the other. Source: https://protobuf.dev/programming-guides/encoding/
 */

const VARINT = 0;
const LENGTH_DELIMITED = 2;

export function message(...fields: Uint8Array[]): Uint8Array {
  return Buffer.concat(fields);
}

/** Non-negative integers only: a negative one takes ten bytes and does not occur here. */
export function integer(field: number, value: number): Uint8Array {
  return Buffer.from([...varint((field << 3) | VARINT), ...varint(value)]);
}

export function bytes(field: number, value: Uint8Array): Uint8Array {
  return Buffer.concat([varint((field << 3) | LENGTH_DELIMITED), varint(value.length), value]);
}

export function text(field: number, value: string): Uint8Array {
  return bytes(field, Buffer.from(value));
}

function varint(value: number): Uint8Array {
  const groups: number[] = [];
  let rest = value;
  while (rest > 127) {
    groups.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.from([...groups, rest]);
}
