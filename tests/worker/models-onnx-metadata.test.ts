import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { onnxMetadata } from '../../gpu-worker/models/onnx/metadata.ts';
import { bytes, integer, message, text } from '../../gpu-worker/models/onnx/protobuf.ts';

const property = (key: string, value: string) => bytes(14, message(text(1, key), text(2, value)));
const irVersion = integer(1, 10);
/** Has fields of the same number inside, as a graph may. */
const graph = bytes(7, message(text(2, 'name'), property('inner', 'not this')));

describe('the metadata of an ONNX file', () => {
  test('is what stands beside the graph', () => {
    const file = message(
      irVersion,
      text(2, 'exporter'),
      graph,
      property('character', 'ä\nö\n🙂'),
      property('k', ''),
    );
    expect(onnxMetadata(file)).toEqual(
      new Map([
        ['character', 'ä\nö\n🙂'],
        ['k', ''],
      ]),
    );
  });

  test('survives any names and texts, long ones too', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string({ maxLength: 400 })), (properties) => {
        const file = message(irVersion, ...Object.entries(properties).map(([k, v]) => property(k, v)), graph);
        expect(onnxMetadata(file)).toEqual(new Map(Object.entries(properties)));
      }),
    );
  });

  test('of a file that is cut off, or is none, is an error and no endless loop', () => {
    const file = message(irVersion, graph, property('character', 'abc'));
    expect(() => onnxMetadata(file.subarray(0, file.length - 1))).toThrow('ends inside');
    expect(() => onnxMetadata(Buffer.from('GIF89a'))).toThrow();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (anything) => {
        try {
          expect(onnxMetadata(anything)).toBeInstanceOf(Map);
        } catch (error) {
          expect(String(error)).toContain('protocol buffer');
        }
      }),
    );
  });
});
