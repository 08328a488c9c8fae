/** With a real model that really runs out of memory: what it allocates grows with the batch beyond all bounds. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { allowBatches, batchLimit, runEach } from '../../gpu-worker/models/batches.ts';
import { OnnxGraph } from '../../gpu-worker/models/onnx/graph.ts';
import { sessionOptions } from '../../gpu-worker/models/session-options.ts';

/**
 * [N, 2] in, the same out, by way of `2 ** (base + bits * N)` zeros that are added up: with 12 bits those
 * are 16 kB for one input, 64 MB for two, and 2^50 bytes, more than any machine can address, for four.
 */
async function greedyModel(bits: number, base = 0): Promise<InferenceSession> {
  const graph = new OnnxGraph();
  const count = graph.node('Slice', [
    graph.node('Shape', ['input']),
    graph.integers([0]),
    graph.integers([1]),
  ]);
  const product = graph.node('Mul', [count, graph.integers([bits])]);
  const exponent = graph.node('Add', [product, graph.integers([base])]);
  const zeros = graph.node('ConstantOfShape', [graph.node('Pow', [graph.integers([2]), exponent])]);
  const sum = graph.node('ReduceSum', [zeros], { keepdims: 0 });
  const output = graph.node('Add', ['input', sum], {}, 'output');
  const model = graph.encode([{ name: 'input', dims: ['N', 2] }], [{ name: output }]);
  return InferenceSession.create(model, sessionOptions('cpu', 1));
}

const inputs = (count: number) =>
  Array.from({ length: count }, (_, i) => new Tensor('float32', Float32Array.of(i + 1, -i - 1), [1, 2]));
const outputs = (results: Record<string, Tensor>[]) => results.map(({ output }) => [...output!.data]);
const same = (count: number) => inputs(count).map(({ data }) => [...data]);

/** Counts the inputs of each run that the session is asked for. */
function watch(session: InferenceSession): number[] {
  const batches: number[] = [];
  const run = session.run.bind(session) as (feeds: Record<string, Tensor>) => ReturnType<typeof session.run>;
  session.run = ((feeds: Record<string, Tensor>) => {
    batches.push(feeds.input!.dims[0]!);
    return run(feeds);
  }) as typeof session.run;
  return batches;
}

test('one at a time where nothing else was said', async () => {
  const session = await greedyModel(12);
  const batches = watch(session);
  expect(outputs(await runEach(session, inputs(3)))).toEqual(same(3));
  expect(batches).toEqual([1, 1, 1]);
});

test('as many at once as allowed, and the results come back one by one', async () => {
  const session = await greedyModel(0);
  allowBatches(session, 4);
  const batches = watch(session);
  const results = await runEach(session, inputs(6));
  expect(batches).toEqual([4, 2]);
  expect(outputs(results)).toEqual(same(6));
  expect(results.map(({ output }) => output!.dims)).toEqual(Array(6).fill([1, 2]));
});

test('half as many where memory does not suffice, from then on', async () => {
  const session = await greedyModel(12);
  allowBatches(session, 8);
  const batches = watch(session);
  expect(outputs(await runEach(session, inputs(5)))).toEqual(same(5));
  // Eight were allowed and five given.
  expect(batches).toEqual([5, 2, 2, 1]);
  expect(batchLimit(session)).toBe(2);
  await runEach(session, inputs(4));
  expect(batches.slice(4)).toEqual([2, 2]);
});

test('one input that is too much is an error', async () => {
  const session = await greedyModel(1, 46);
  allowBatches(session, 4);
  const batches = watch(session);
  await expect(runEach(session, inputs(4))).rejects.toThrow(/memory|bad_alloc/);
  expect(batches).toEqual([4, 2, 1]);
});

test('what fails otherwise is not tried again', async () => {
  const session = await greedyModel(0);
  allowBatches(session, 2);
  const batches = watch(session);
  const tooWide = () => new Tensor('float32', new Float32Array(3), [1, 3]);
  await expect(runEach(session, [tooWide(), tooWide()])).rejects.toThrow('dimension');
  expect(batches).toEqual([2]);
});

test('inputs of different shapes do not go together', async () => {
  const graph = new OnnxGraph();
  const output = graph.node('Add', ['input', 'input'], {}, 'output');
  const model = graph.encode([{ name: 'input', dims: ['N', 'W'] }], [{ name: output }]);
  const session = await InferenceSession.create(model, sessionOptions('cpu', 1));
  allowBatches(session, 8);
  const batches = watch(session);
  const widths = [2, 2, 3, 2];
  const results = await runEach(
    session,
    widths.map((width) => new Tensor('float32', new Float32Array(width).fill(width), [1, width])),
  );
  expect(batches).toEqual([2, 1, 1]);
  expect(outputs(results)).toEqual(widths.map((width) => Array(width).fill(2 * width)));
});
