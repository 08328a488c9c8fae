/** The worker's images hold all that the worker loads: what is missing would be found on a rented machine only. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, test } from 'vitest';
import { assemble } from '../../scripts/build-worker/check.ts';
import { readDockerIgnore } from '../../scripts/build-worker/docker-ignore.ts';
import { isCopied, readDockerfile } from '../../scripts/build-worker/dockerfile.ts';
import { importGraph } from '../../scripts/build-worker/import-graph.ts';

const root = join(import.meta.dirname, '../..');
const programs = ['gpu-worker/main.ts', 'gpu-worker/serverless.ts', 'gpu-worker/image/healthcheck.ts'];
const worker = importGraph(root, programs);
const isSeen = readDockerIgnore(readFileSync(join(root, '.dockerignore'), 'utf8'));

describe('what the worker imports', () => {
  it('is found through imports, child processes and threads', () => {
    for (const file of [
      'gpu-worker/work.ts',
      'gpu-worker/pipeline/threads/thread.ts',
      'functions/core/results/rows.ts',
      'package.json',
    ])
      expect(worker.files).toContain(file);
    // Only its types are imported.
    expect(worker.files).not.toContain('gpu-worker/models/store.ts');
  });

  it('is every package of the image and no more', () => {
    const packages = JSON.parse(readFileSync(join(root, 'gpu-worker/image/packages.json'), 'utf8'));
    expect([...worker.packages].toSorted()).toEqual(packages);
  });
});

describe.each(['gpu-worker/Dockerfile', 'gpu-worker/cpu.Dockerfile'])('%s', (dockerfile) => {
  const stages = readDockerfile(join(root, dockerfile));

  it('copies all that the worker needs, and .dockerignore lets it', () => {
    const missing = [...worker.files].filter((file) => !isCopied(stages.at(-1)!, file) || !isSeen(file));
    expect(missing).toEqual([]);
  });

  it('copies nothing that is not there', () => {
    const paths = stages.flatMap(({ copies }) => copies.flatMap(({ from }) => from));
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it.each([
    ['models', 'gpu-worker/image/fetch-models.ts'],
    ['packages', 'gpu-worker/image/trim-lock.ts'],
  ])('its stage %s holds what %s needs', (name, program) => {
    const before = stages.slice(0, stages.findIndex((stage) => stage.name === name) + 1);
    const { files } = importGraph(root, [program]);
    const missing = [...files].filter(
      (file) => !before.some((stage) => isCopied(stage, file)) || !isSeen(file),
    );
    expect(missing).toEqual([]);
  });

  it('names a base by its tag and digest', () => {
    const text = readFileSync(join(root, dockerfile), 'utf8');
    for (const [, image] of text.matchAll(/^ARG \w+_IMAGE=(.+)$/gm))
      expect(image).toMatch(/^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
  });

  it('starts a program that it holds', () => {
    const [, command] = /^CMD (\[.+\])$/m.exec(readFileSync(join(root, dockerfile), 'utf8'))!;
    expect(worker.files).toContain(JSON.parse(command!)[1]);
  });
});

describe('.dockerignore', () => {
  it.each([
    ['gpu-worker/work.ts', true],
    ['functions/core/results/rows.ts', true],
    ['functions/jobs/handler.ts', false],
    ['node_modules/zod/index.js', false],
    ['data/secrets/lease-key', false],
    ['.git/config', false],
    ['tests/worker/ocr.test.ts', false],
  ])('%s: %s', (file, isKept) => {
    expect(isSeen(file)).toBe(isKept);
  });
});

let folder = '';
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the assembled image lies where the worker looks', () => {
  folder = mkdtempSync(join(tmpdir(), 'aima-image-'));
  assemble(root, readDockerfile(join(root, 'gpu-worker/Dockerfile')).at(-1)!, folder);
  expect([...worker.files].filter((file) => !existsSync(join(folder, 'worker', file)))).toEqual([]);
  expect(existsSync(join(folder, 'worker/functions/jobs'))).toBe(false);
});
