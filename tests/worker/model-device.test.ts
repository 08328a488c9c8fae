/** Which device a model runs on, and what happens to a run's report. */
import { expect, test } from 'vitest';
import { mergeRuns } from '../../functions/core/results/merge/runs.ts';
import { type ModelLoading, RunReport } from '../../functions/core/results/run.ts';
import { readEnvironment } from '../../gpu-worker/lease/environment.ts';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import { models } from '../../gpu-worker/models/manifest.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';
import { isOutOfMemory } from '../../gpu-worker/models/out-of-memory.ts';
import { sessionOptions } from '../../gpu-worker/models/session-options.ts';

const dir = modelsDir(process.env);
const lease = {
  AIMA_INSTANCE_ID: '01h455vb4pex5vsknk084sn02q',
  AIMA_DATABASE_URL: 'postgres://127.0.0.1/aima',
  AIMA_MQTT_URL: 'mqtt://127.0.0.1',
};

test('CUDA is asked for by number, before the CPU that runs what it has no kernel for', () => {
  expect(sessionOptions('cuda', 4).executionProviders).toEqual([{ name: 'cuda', deviceId: 0 }, 'cpu']);
  expect(sessionOptions('cpu', 4).executionProviders).toEqual(['cpu']);
});

test('a model without a word about CUDA runs on the CPU of a machine with a GPU', async () => {
  expect(models.find(({ id }) => id === 'silero-vad')!.cuda).toBeUndefined();
  await ensureModels(['silero-vad'], { dir });
  const store = openModelStore({ dir, threads: 1, device: 'cuda' });
  expect((await store.session('silero-vad')).inputNames).toContain('input');
}, 120_000);

test('a model for CUDA does not fall back to the CPU', async ({ skip }) => {
  await ensureModels(['fr-detect'], { dir });
  const opened = await openModelStore({ dir, threads: 1, device: 'cuda' })
    .session('fr-detect')
    .catch((error: unknown) => error);
  if (!(opened instanceof Error)) skip('this machine has CUDA');
  expect((opened as Error).message).toMatch(/cuda/i);
}, 120_000);

test('a session tells when it is open and how long its first run took, and nothing after it', async () => {
  await ensureModels(['fr-landmark'], { dir });
  const told: ModelLoading[] = [];
  const store = openModelStore({ dir, threads: 1, onLoading: (loading) => told.push(loading) });
  const session = await store.session('fr-landmark');
  const { Tensor } = await import('onnxruntime-node');
  const input = new Tensor('float32', new Float32Array(64 * 64), [1, 1, 64, 64]);
  await session.run({ input });
  await session.run({ input });
  expect(told).toEqual([
    { id: 'fr-landmark', file: 'fr_landmark.onnx', openMs: expect.any(Number), firstRunMs: null },
    { id: 'fr-landmark', file: 'fr_landmark.onnx', openMs: told[0]!.openMs, firstRunMs: expect.any(Number) },
  ]);
}, 120_000);

test.each([
  'Non-zero status code … Failed to allocate memory for requested buffer of size 1125899906842624',
  'bfc_arena.cc:376 Available memory of 12582912 is smaller than requested bytes of 33554432',
  'CUDA failure 2: out of memory ; GPU=0 ; hostname=a ; expr=cudaMalloc((void**)&p, size);',
  'CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0',
  'std::bad_alloc',
])('is for lack of memory: %s', (message) => {
  expect(isOutOfMemory(new Error(message))).toBe(true);
});

test.each([
  'Got invalid dimensions for input: x',
  'CUDA failure 700: an illegal memory access was encountered',
])('is not for lack of memory: %s', (message) => {
  expect(isOutOfMemory(new Error(message))).toBe(false);
});

test('the tier is told by the environment, and packaged where it is not', () => {
  expect(readEnvironment(lease).tier).toBe('packaged');
  expect(readEnvironment({ ...lease, AIMA_MODEL_TIER: 'large' }).tier).toBe('large');
  expect(() => readEnvironment({ ...lease, AIMA_MODEL_TIER: 'huge' })).toThrow('AIMA_MODEL_TIER');
});

const report = (change: object) =>
  RunReport.parse({
    ...{
      startedAt: '2026-01-01T00:00:00Z',
      wallMs: 1,
      device: 'cpu',
      worker: 'a',
      medium: null,
      analyzers: [],
    },
    ...change,
  });

test('reports from before models were timed stay readable, and those of pieces add up', () => {
  const model = { id: 'm', file: 'm.onnx', openMs: 5, firstRunMs: null };
  expect(report({}).loading).toBeUndefined();
  expect(mergeRuns([report({}), report({})])!.loading).toBeUndefined();
  const [one, two] = [3, 4].map((fetchMs) => report({ loading: { fetchMs, models: [model] } }));
  expect(mergeRuns([one!, report({}), two!])!.loading).toEqual({ fetchMs: 7, models: [model, model] });
});
