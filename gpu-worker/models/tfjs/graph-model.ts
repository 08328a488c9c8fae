/**
 * Reads a TensorFlow.js graph model: a JSON file with the graph and the list of weights,
 * and a binary file with the weights one after the other.
 */
import { z } from 'zod';
import type { Tensor } from './tensor.ts';

const Base64Text = z.string().transform((encoded) => Buffer.from(encoded, 'base64').toString());
const Integer = z.coerce.number();

const Attribute = z.object({
  s: Base64Text.optional(),
  b: z.boolean().optional(),
  list: z.object({ s: z.array(Base64Text).optional(), i: z.array(Integer).optional() }).optional(),
});

const Node = z.object({
  name: z.string(),
  op: z.string(),
  input: z.array(z.string()).default([]),
  attr: z.record(z.string(), Attribute).default({}),
});

const GraphModelJson = z.object({
  format: z.literal('graph-model'),
  modelTopology: z.object({ node: z.array(Node) }),
  weightsManifest: z.array(
    z.object({
      weights: z.array(
        z.object({
          name: z.string(),
          shape: z.array(z.number()),
          dtype: z.enum(['float32', 'int32']),
          quantization: z.object({ dtype: z.literal('float16') }).optional(),
        }),
      ),
    }),
  ),
});

export type GraphNode = z.infer<typeof Node>;

export interface GraphModel {
  nodes: Map<string, GraphNode>;
  weights: Map<string, Tensor>;
}

/** Throws a ZodError where the file is of another kind, a RangeError where weights are missing. */
export function parseGraphModel(json: string, binary: Uint8Array): GraphModel {
  const model = GraphModelJson.parse(JSON.parse(json));
  const view = new DataView(binary.buffer, binary.byteOffset, binary.byteLength);
  const weights = new Map<string, Tensor>();
  let offset = 0;
  for (const { name, shape, dtype, quantization } of model.weightsManifest.flatMap(
    (group) => group.weights,
  )) {
    const data = new (dtype === 'int32' ? Int32Array : Float32Array)(shape.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) {
      if (quantization) data[i] = float16(view.getUint16(offset, true));
      else data[i] = dtype === 'int32' ? view.getInt32(offset, true) : view.getFloat32(offset, true);
      offset += quantization ? 2 : 4;
    }
    weights.set(name, { shape, data });
  }
  return { nodes: new Map(model.modelTopology.node.map((node) => [node.name, node])), weights };
}

/** IEEE 754 half precision. `DataView.getFloat16` came only with Node 24. */
function float16(bits: number): number {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
