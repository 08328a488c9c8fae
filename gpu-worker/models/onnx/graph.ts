/**
 * Builds an ONNX file node by node. Field numbers are those of
 * https://github.com/onnx/onnx/blob/v1.17.0/onnx/onnx.proto
 *
 * Weights may lie in the file itself or in a file beside it ("external data" of the format),
 * which a model above protobuf's limit of 2 GiB must use and which lets two graphs share
 * one file of weights.
 */
import { bytes, integer, message, text } from './protobuf.ts';

const ELEMENT_TYPES = { float32: 1, int64: 7, bool: 9, float16: 10 } as const;
const ATTRIBUTE_TYPES = { int: 2, string: 3, ints: 7 } as const;
const EXTERNAL = 1;

export type ElementType = keyof typeof ELEMENT_TYPES;

/** A whole number, several of them, or a string; no operator used here has a float attribute. */
export type Attribute = number | number[] | string;

/** What goes into or comes out of a graph. A name in `dims` is a size that is known only when the model runs. */
export interface GraphValue {
  name: string;
  type?: ElementType;
  dims?: (number | string)[];
}

/** A tensor in a file beside the ONNX file: little endian, row-major. */
export interface ExternalTensor {
  type: ElementType;
  shape: number[];
  /** The file's name, in the folder of the ONNX file. */
  file: string;
  offsetBytes: number;
  sizeBytes: number;
}

export interface GraphVersions {
  irVersion: number;
  operatorSet: number;
}

export class OnnxGraph {
  #versions: GraphVersions;
  #nodes: Uint8Array[] = [];
  #constants: Uint8Array[] = [];

  constructor(versions: GraphVersions = { irVersion: 8, operatorSet: 13 }) {
    this.#versions = versions;
  }

  /** Adds an operator and returns the name of its result. An input '' is one left out. */
  node(
    operator: string,
    inputs: string[],
    attributes: Record<string, Attribute> = {},
    name?: string,
  ): string {
    return this.nodes(operator, inputs, [name ?? `${operator}_${this.#nodes.length}`], attributes)[0]!;
  }

  /** Adds an operator that has several results, of the given names. */
  nodes(
    operator: string,
    inputs: string[],
    outputs: string[],
    attributes: Record<string, Attribute> = {},
  ): string[] {
    this.#nodes.push(
      message(
        ...inputs.map((input) => text(1, input)),
        ...outputs.map((output) => text(2, output)),
        text(3, outputs[0]!),
        text(4, operator),
        ...Object.entries(attributes).map(([key, value]) => bytes(5, encodeAttribute(key, value))),
      ),
    );
    return outputs;
  }

  /** To convert a value to another element type; operators never do so by themselves. */
  cast(value: string, type: ElementType, name?: string): string {
    return this.node('Cast', [value], { to: ELEMENT_TYPES[type] }, name);
  }

  floats(shape: number[], values: Float32Array): string {
    return this.#constant('float32', shape, values);
  }

  /** A one-dimensional tensor of int64, as operators take shapes and axes. */
  integers(values: number[]): string {
    return this.#constant('int64', [values.length], BigInt64Array.from(values.map(BigInt)));
  }

  /** A single int64, of no dimension. */
  integer(value: number): string {
    return this.#constant('int64', [], BigInt64Array.of(BigInt(value)));
  }

  external({ type, shape, file, offsetBytes, sizeBytes }: ExternalTensor): string {
    const location = { location: file, offset: String(offsetBytes), length: String(sizeBytes) };
    return this.#initializer(
      type,
      shape,
      ...Object.entries(location).map(([key, value]) => bytes(13, message(text(1, key), text(2, value)))),
      integer(14, EXTERNAL),
    );
  }

  /** The file. The same calls give the same bytes. */
  encode(inputs: GraphValue[], outputs: GraphValue[]): Uint8Array {
    const graph = message(
      ...this.#nodes.map((node) => bytes(1, node)),
      text(2, 'graph'),
      ...this.#constants.map((constant) => bytes(5, constant)),
      ...inputs.map((input) => bytes(11, encodeValueInfo(input))),
      ...outputs.map((output) => bytes(12, encodeValueInfo(output))),
    );
    return message(
      integer(1, this.#versions.irVersion),
      bytes(7, graph),
      bytes(8, message(text(1, ''), integer(2, this.#versions.operatorSet))),
    );
  }

  #constant(type: ElementType, shape: number[], values: Float32Array | BigInt64Array): string {
    const raw = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    return this.#initializer(type, shape, bytes(9, raw));
  }

  #initializer(type: ElementType, shape: number[], ...content: Uint8Array[]): string {
    const name = `constant_${this.#constants.length}`;
    this.#constants.push(
      message(
        ...shape.map((size) => integer(1, size)),
        integer(2, ELEMENT_TYPES[type]),
        text(8, name),
        ...content,
      ),
    );
    return name;
  }
}

function encodeAttribute(name: string, value: Attribute): Uint8Array {
  if (typeof value === 'string')
    return message(text(1, name), text(4, value), integer(20, ATTRIBUTE_TYPES.string));
  if (Array.isArray(value)) {
    return message(
      text(1, name),
      ...value.map((item) => integer(8, item)),
      integer(20, ATTRIBUTE_TYPES.ints),
    );
  }
  return message(text(1, name), integer(3, value), integer(20, ATTRIBUTE_TYPES.int));
}

function encodeValueInfo({ name, type = 'float32', dims }: GraphValue): Uint8Array {
  const shape = dims?.map((dim) => bytes(1, typeof dim === 'string' ? text(2, dim) : integer(1, dim)));
  const tensor = message(integer(1, ELEMENT_TYPES[type]), ...(shape ? [bytes(2, message(...shape))] : []));
  return message(text(1, name), bytes(2, bytes(1, tensor)));
}
