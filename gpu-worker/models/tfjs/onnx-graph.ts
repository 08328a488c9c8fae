/**
 * Builds an ONNX file node by node. Field numbers are those of
 * https://github.com/onnx/onnx/blob/v1.17.0/onnx/onnx.proto (IR version 8, operator set 13).
 */
import { bytes, integer, message, text } from './protobuf.ts';

const IR_VERSION = 8;
const OPERATOR_SET = 13;

const ElementType = { float32: 1, int64: 7 } as const;
const AttributeType = { int: 2, string: 3, ints: 7 } as const;

/** A whole number, several of them, or a string; no operator used here has a float attribute. */
export type Attribute = number | number[] | string;

/** A name in `dims` is a size that is known only when the model runs. */
export interface GraphInput {
  name: string;
  dims: (number | string)[];
}

export class OnnxGraph {
  #nodes: Uint8Array[] = [];
  #constants: Uint8Array[] = [];

  /** Adds an operator and returns the name of its result. An input '' is one left out. */
  node(
    operator: string,
    inputs: string[],
    attributes: Record<string, Attribute> = {},
    name?: string,
  ): string {
    const output = name ?? `${operator}_${this.#nodes.length}`;
    this.#nodes.push(
      message(
        ...inputs.map((input) => text(1, input)),
        text(2, output),
        text(3, output),
        text(4, operator),
        ...Object.entries(attributes).map(([key, value]) => bytes(5, encodeAttribute(key, value))),
      ),
    );
    return output;
  }

  floats(shape: number[], values: Float32Array): string {
    return this.#constant(ElementType.float32, shape, values);
  }

  /** A one-dimensional tensor of int64, as operators take shapes and axes. */
  integers(values: number[]): string {
    return this.#constant(ElementType.int64, [values.length], BigInt64Array.from(values.map(BigInt)));
  }

  /** The file. The same calls give the same bytes. */
  encode(input: GraphInput, outputs: string[]): Uint8Array {
    const graph = message(
      ...this.#nodes.map((node) => bytes(1, node)),
      text(2, 'graph'),
      ...this.#constants.map((constant) => bytes(5, constant)),
      bytes(11, encodeValueInfo(input.name, input.dims)),
      ...outputs.map((output) => bytes(12, encodeValueInfo(output))),
    );
    return message(
      integer(1, IR_VERSION),
      bytes(7, graph),
      bytes(8, message(text(1, ''), integer(2, OPERATOR_SET))),
    );
  }

  #constant(elementType: number, shape: number[], values: Float32Array | BigInt64Array): string {
    const name = `constant_${this.#constants.length}`;
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    this.#constants.push(
      message(
        ...shape.map((size) => integer(1, size)),
        integer(2, elementType),
        text(8, name),
        bytes(9, raw),
      ),
    );
    return name;
  }
}

function encodeAttribute(name: string, value: Attribute): Uint8Array {
  if (typeof value === 'string')
    return message(text(1, name), text(4, value), integer(20, AttributeType.string));
  if (Array.isArray(value)) {
    return message(text(1, name), ...value.map((item) => integer(8, item)), integer(20, AttributeType.ints));
  }
  return message(text(1, name), integer(3, value), integer(20, AttributeType.int));
}

function encodeValueInfo(name: string, dims?: (number | string)[]): Uint8Array {
  const shape = dims?.map((dim) => bytes(1, typeof dim === 'string' ? text(2, dim) : integer(1, dim)));
  const tensor = message(integer(1, ElementType.float32), ...(shape ? [bytes(2, message(...shape))] : []));
  return message(text(1, name), bytes(2, bytes(1, tensor)));
}
