/** Checkpoints in the formats that weights come in must give the tensors that went in, and nothing must run or overflow. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileBytes } from '../../gpu-worker/models/file-bytes.ts';
import type { Checkpoint, FloatType } from '../../gpu-worker/models/whisper/checkpoint.ts';
import { readCtranslate2 } from '../../gpu-worker/models/whisper/ctranslate2.ts';
import { readTorch } from '../../gpu-worker/models/whisper/torch.ts';
import { readZipEntries, readZipEntry, type ZipEntry } from '../../gpu-worker/models/zip.ts';
import { ctranslate2File, numbers, tinyDimensions, tinyWeights, torchFile } from './tiny-whisper.ts';
import { zipFile } from './zip-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'aima-whisper-readers-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function withFile<T>(bytes: Buffer | string, read: (file: FileBytes) => Promise<T>): Promise<T> {
  const name = typeof bytes === 'string' ? bytes : path.join(folder, 'checkpoint');
  if (typeof bytes !== 'string') await writeFile(name, bytes);
  const file = await FileBytes.open(name);
  try {
    return await read(file);
  } finally {
    await file.close();
  }
}

/** What it holds, with all numbers read. */
async function contentsOf({ dimensions, tensors }: Checkpoint) {
  const contents: Record<string, unknown> = {};
  for (const [name, { type, shape, read }] of tensors) {
    contents[name] = { type, shape, bytes: Buffer.from(await read()) };
  }
  return { dimensions, contents };
}

function expected(type: FloatType) {
  const contents = [...tinyWeights(tinyDimensions)].map(([name, { shape, values }]) => [
    name,
    { type, shape, bytes: numbers(values, type) },
  ]);
  return { dimensions: tinyDimensions, contents: Object.fromEntries(contents) };
}

const read = (bytes: Buffer | string, reader: (file: FileBytes) => Promise<Checkpoint>) =>
  withFile(bytes, async (file) => contentsOf(await reader(file)));

describe('a CTranslate2 model', () => {
  test.each(['float16', 'float32'] as const)('of %s: joined matrices are taken apart again', async (type) => {
    expect(await read(ctranslate2File(tinyDimensions, type), readCtranslate2)).toEqual(expected(type));
  });

  const whole = ctranslate2File(tinyDimensions);
  const changed = (search: string, replacement: string) =>
    Buffer.from(whole.toString('latin1').replace(search, replacement), 'latin1');
  test.each([
    ['cut off', whole.subarray(0, whole.length - 200), 'is cut off'],
    ['of another version', changed('\x06\0\0\0', '\x05\0\0\0'), 'not a CTranslate2 model of version 6: 5'],
    ['of another network', changed('WhisperSpec', 'TransfoSpec'), 'no Whisper model: TransfoSpec'],
    [
      'without a variable',
      changed('decoder/embeddings', 'decoder/xxbeddings'),
      'no variable decoder/embeddings/weight',
    ],
    [
      'with a size that is not its shape',
      changed('\x04\x80\0\0\0', '\x04\x81\0\0\0'),
      'has not the size of its shape',
    ],
  ])('%s is refused', async (_, bytes, message) => {
    await expect(read(bytes, readCtranslate2)).rejects.toThrow(message);
  });
});

describe('a PyTorch checkpoint', () => {
  test('gives its tensors', async () => {
    expect(await read(torchFile(tinyDimensions), readTorch)).toEqual(expected('float16'));
  });

  test('gives transposed views in row-major order', async () => {
    expect(await read(torchFile(tinyDimensions, { strides: true }), readTorch)).toEqual(expected('float16'));
  });

  test('that would call a function of Python is refused', async () => {
    await expect(read(torchFile(tinyDimensions, { call: 'Counter' }), readTorch)).rejects.toThrow(
      'the PyTorch checkpoint wants to call collections.Counter',
    );
  });

  test.each([
    ['that is no archive', Buffer.from('no archive at all, only text'), 'the file is no ZIP archive'],
    ['without a pickle', zipFile({ 'tiny/version': Buffer.from('3') }), 'the archive has no data.pkl'],
    [
      'of another byte order',
      zipFile({ 't/data.pkl': Buffer.from('\x80\x02}.', 'latin1'), 't/byteorder': Buffer.from('big') }),
      'not little endian',
    ],
    [
      'that is no dictionary',
      zipFile({ 't/data.pkl': Buffer.from('\x80\x02].', 'latin1') }),
      'is no dictionary',
    ],
  ])('%s is refused', async (_, bytes, message) => {
    await expect(read(bytes, readTorch)).rejects.toThrow(message);
  });

  test('whose tensor is larger than its numbers is refused', async () => {
    const whole = torchFile(tinyDimensions).toString('latin1');
    // The first tensor's offset in its storage, 0, becomes 1.
    const shifted = whole.replace('tQJ\0\0\0\0', 'tQJ\x01\0\0\0');
    await expect(read(Buffer.from(shifted, 'latin1'), readTorch)).rejects.toThrow('exceeds its numbers');
  });

  test('is read as PyTorch itself writes it', async ({ skip }) => {
    const run = promisify(execFile);
    await run('python3', ['-c', 'import torch']).catch(() => skip('needs python3 with torch'));
    const weights = path.join(folder, 'weights.json');
    const saved = path.join(folder, 'tiny.pt');
    const plain = [...tinyWeights(tinyDimensions)].map(([name, { shape, values }]) => [
      name,
      shape,
      [...values],
    ]);
    await writeFile(weights, JSON.stringify({ dims: snakeCase(tinyDimensions), tensors: plain }));
    const script = `
import collections, json, sys, torch
given = json.load(open(sys.argv[1]))
state = collections.OrderedDict()
for name, shape, values in given['tensors']:
    tensor = torch.tensor(values).reshape(shape).half()
    state[name] = tensor.T.contiguous().T if name.endswith('mlp.0.weight') else tensor
state._metadata = collections.OrderedDict({'': {'version': 1}})
torch.save({'dims': given['dims'], 'model_state_dict': state}, sys.argv[2])`;
    await run('python3', ['-c', script, weights, saved]);

    expect(await read(saved, readTorch)).toEqual(expected('float16'));
  });
});

function snakeCase(dimensions: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(dimensions).map(([name, size]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      size,
    ]),
  );
}

async function contentOf(file: FileBytes, entry: ZipEntry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readZipEntry(file, entry)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('a ZIP archive', () => {
  const files = {
    'a/text.txt': Buffer.from('text '.repeat(1000)),
    'b.bin': Buffer.from([0, 255, 7]),
    empty: Buffer.alloc(0),
  };

  test.each([{}, { deflate: true }, { zip64: true }, { deflate: true, zip64: true }])(
    'written with %o',
    async (options) => {
      const found = await withFile(zipFile(files, options), async (file) => {
        const contents: Record<string, Buffer> = {};
        for (const [name, entry] of await readZipEntries(file)) {
          contents[name] = await contentOf(file, entry);
        }
        return contents;
      });
      expect(found).toEqual(files);
    },
  );

  test.each([-1, 1])('whose entry has %i bytes more than it says is refused', async (more) => {
    await withFile(zipFile({ bomb: Buffer.alloc(100_000) }, { deflate: true }), async (file) => {
      const entry = (await readZipEntries(file)).get('bomb')!;
      const lying = { ...entry, sizeBytes: entry.sizeBytes - more };
      await expect(contentOf(file, lying)).rejects.toThrow('bomb has not the size that the archive says');
    });
  });
});
