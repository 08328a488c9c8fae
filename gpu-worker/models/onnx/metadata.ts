/**
 * Reads what stands beside the graph in an ONNX file: the `metadata_props` that its exporter left, such
 * as the characters of a text recogniser. ONNX Runtime for Node does not give them out.
 *
 * Only the outermost fields of the protocol buffer are looked at; the graph is passed over as a whole.
 * Sources: https://protobuf.dev/programming-guides/encoding/ and `ModelProto` in
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */

const METADATA_PROPS = 14;
const [KEY, VALUE] = [1, 2];

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED_32 = 5;

/** The properties of the file by their names. Throws where the bytes are no protocol buffer. */
export function onnxMetadata(file: Uint8Array): Map<string, string> {
  const properties = new Map<string, string>();
  for (const { number, content } of fields(file)) {
    if (number !== METADATA_PROPS) continue;
    const parts = new Map([...fields(content)].map((field) => [field.number, field.content]));
    properties.set(textOf(parts.get(KEY)), textOf(parts.get(VALUE)));
  }
  return properties;
}

const textOf = (content: Uint8Array | undefined) => Buffer.from(content ?? []).toString();

/** The fields that carry bytes, in their order. */
function* fields(message: Uint8Array): Generator<{ number: number; content: Uint8Array }> {
  for (let at = 0; at < message.length; ) {
    const tag = varint(message, at);
    const [number, wireType] = [Math.floor(tag.value / 8), tag.value % 8];
    at = tag.end;
    if (wireType === VARINT) at = varint(message, at).end;
    else if (wireType === FIXED_64) at += 8;
    else if (wireType === FIXED_32) at += 4;
    else if (wireType === LENGTH_DELIMITED) {
      const length = varint(message, at);
      at = length.end + length.value;
      if (at > message.length) throw new Error('the protocol buffer ends inside a field');
      yield { number, content: message.subarray(length.end, at) };
    } else throw new Error(`no protocol buffer has a field of wire type ${wireType}`);
  }
}

/** Above 2^53 the value is not exact; such ones are only passed over. */
function varint(message: Uint8Array, from: number): { value: number; end: number } {
  let value = 0;
  for (let at = from, factor = 1; at < message.length; at++, factor *= 128) {
    value += (message[at]! % 128) * factor;
    if (message[at]! < 128) return { value, end: at + 1 };
  }
  throw new Error('the protocol buffer ends inside a number');
}
