/** The graphs must compute what Whisper is defined to compute, here for one of two layers with made-up weights. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FloatType } from '../../gpu-worker/models/whisper/checkpoint.ts';
import { decoderGraph } from '../../gpu-worker/models/whisper/decoder-graph.ts';
import { encoderGraph } from '../../gpu-worker/models/whisper/encoder-graph.ts';
import type { AttentionHead } from '../../gpu-worker/models/whisper/graphs.ts';
import { WeightsFile } from '../../gpu-worker/models/whisper/weights-file.ts';
import { tinyDimensions as sizes, tinyCheckpoint, tinyWeights } from './tiny-whisper.ts';
import { whisperReference } from './whisper-reference.ts';

const alignmentHeads: AttentionHead[] = [
  [0, 1],
  [1, 0],
  [1, 1],
];
const layers = [0, 1];
const tokens = [11, 3, 0, 12, 7, 7, 5];
const frames = 2 * sizes.nAudioCtx;
const mels = [0, 1].map((seed) =>
  Array.from({ length: sizes.nMels }, (_, band) =>
    Array.from({ length: frames }, (_, at) => Math.sin(1.7 * band + 0.9 * at + 2.3 * seed)),
  ),
);
const references = mels.map((mel) => whisperReference(sizes, tinyWeights(sizes), mel, tokens));

type Tensors = Record<string, Tensor>;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'aima-whisper-graphs-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Stored and computed types are independent of each other: all four combinations must give the same. */
async function build(stored: FloatType, computed: FloatType) {
  const checkpoint = tinyCheckpoint(sizes, stored);
  const weights = new WeightsFile(`${stored}-${computed}.bin`);
  const file = (name: string) => path.join(folder, `${name}-${stored}-${computed}.onnx`);
  await writeFile(file('encoder'), encoderGraph(checkpoint, weights, computed));
  await writeFile(file('decoder'), decoderGraph(checkpoint, weights, computed, alignmentHeads));
  await weights.write(folder);
  const [encoder, decoder] = await Promise.all(
    ['encoder', 'decoder'].map((name) => InferenceSession.create(file(name))),
  );
  const nothing = computed === 'float32' ? new Float32Array(0) : new Uint16Array(0);
  const size = sizes.nTextState / sizes.nTextHead;
  const start = (sequences: number): Tensors =>
    Object.fromEntries(
      layers.flatMap((i) =>
        ['k', 'v'].map((kind) => [
          `past_${kind}_${i}`,
          new Tensor(computed, nothing, [sequences, sizes.nTextHead, 0, size]),
        ]),
      ),
    );
  return {
    start,
    hear: (heard: number[][][]) =>
      encoder!.run({
        mel: new Tensor('float32', Float32Array.from(heard.flat(2)), [heard.length, sizes.nMels, frames]),
      }) as Promise<Tensors>,
    decode: (cross: Tensors, past: Tensors, texts: number[][], wanted: number[]) =>
      decoder!.run({
        ...cross,
        ...past,
        tokens: new Tensor('int64', BigInt64Array.from(texts.flat().map(BigInt)), [
          texts.length,
          texts[0]!.length,
        ]),
        logits_at: new Tensor('int64', BigInt64Array.from(wanted.map(BigInt)), [wanted.length]),
      }) as Promise<Tensors>,
  };
}

function pastOf(results: Tensors): Tensors {
  const present = Object.entries(results).filter(([name]) => name.startsWith('present_'));
  return Object.fromEntries(present.map(([name, value]) => [name.replace('present', 'past'), value]));
}

const values = (tensor: Tensor | undefined) => [...(tensor!.data as Float32Array)];

function expectClose(found: number[], expected: number[], tolerance: number): void {
  expect(found).toHaveLength(expected.length);
  const differences = found.map((value, i) => Math.abs(value - expected[i]!));
  expect(Math.max(...differences)).toBeLessThan(tolerance);
}

describe.each([
  ['float32', 'float32', 2e-5],
  ['float16', 'float32', 2e-5],
  ['float16', 'float16', 0.05],
  ['float32', 'float16', 0.05],
] as const)('stored as %s, computed in %s', (stored, computed, tolerance) => {
  let whisper: Awaited<ReturnType<typeof build>>;
  let cross: Tensors;
  beforeAll(async () => {
    whisper = await build(stored, computed);
    cross = await whisper.hear(mels);
  });
  const texts = [tokens, tokens];
  const all = tokens.map((_, i) => i);

  test('all tokens at once, for two sounds', async () => {
    const { logits } = await whisper.decode(cross, whisper.start(2), texts, all);

    expect(logits!.dims).toEqual([2, tokens.length, sizes.nVocab]);
    expectClose(
      values(logits),
      references.flatMap((reference) => reference.logits.flat()),
      tolerance,
    );
  });

  test('only the logits that are asked for', async () => {
    const { logits } = await whisper.decode(cross, whisper.start(2), texts, [4, 0]);

    expect(logits!.dims).toEqual([2, 2, sizes.nVocab]);
    expectClose(
      values(logits),
      references.flatMap((reference) => [...reference.logits[4]!, ...reference.logits[0]!]),
      tolerance,
    );
  });

  test('three tokens, two more, and then one by one', async () => {
    let past = whisper.start(2);
    const steps = [tokens.slice(0, 3), tokens.slice(3, 5), [tokens[5]!], [tokens[6]!]];
    let done = 0;
    for (const step of steps) {
      const results = await whisper.decode(cross, past, [step, step], [step.length - 1]);
      past = pastOf(results);
      done += step.length;
      expect(past.past_k_1!.dims).toEqual([2, sizes.nTextHead, done, 4]);
      expectClose(
        values(results.logits),
        references.flatMap((reference) => reference.logits[done - 1]!),
        tolerance,
      );
    }
  });

  test('the attention of the alignment heads to the sound, in their order', async () => {
    const { alignment } = await whisper.decode(cross, whisper.start(2), texts, [0]);

    expect(alignment!.type).toBe('float32');
    expect(alignment!.dims).toEqual([2, alignmentHeads.length, tokens.length, sizes.nAudioCtx]);
    expectClose(
      values(alignment),
      references.flatMap(({ crossAttention }) =>
        alignmentHeads.flatMap(([layer, head]) => crossAttention[layer]![head]!.flat()),
      ),
      tolerance,
    );
  });
});

test('the same weights give the same bytes', () => {
  const bytes = () => {
    const weights = new WeightsFile('weights.bin');
    const checkpoint = tinyCheckpoint(sizes, 'float16');
    return [
      encoderGraph(checkpoint, weights, 'float32'),
      decoderGraph(checkpoint, weights, 'float16', alignmentHeads),
    ];
  };
  expect(bytes()).toEqual(bytes());
});

test('a checkpoint that lacks a tensor, or has one of another shape, is refused', () => {
  const checkpoint = tinyCheckpoint(sizes, 'float16');
  const tensors = new Map(checkpoint.tensors);
  const weights = new WeightsFile('weights.bin');
  tensors.delete('encoder.blocks.1.attn.value.weight');
  expect(() => encoderGraph({ ...checkpoint, tensors }, weights, 'float32')).toThrow(
    'the checkpoint has no tensor encoder.blocks.1.attn.value.weight',
  );

  const wider = { ...checkpoint, dimensions: { ...sizes, nVocab: 14 } };
  expect(() => decoderGraph(wider, weights, 'float32', alignmentHeads)).toThrow(
    'the tensor decoder.token_embedding.weight has the shape [13,8] and not [14,8]',
  );
});
