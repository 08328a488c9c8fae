/** The model store over a models folder that `ensureModels` has filled. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { InferenceSession } from 'onnxruntime-node';
import type { ModelLoading } from '../../functions/core/results/run.ts';
import { allowBatches } from './batches.ts';
import { type DeviceKind, findModel, modelSha256 } from './manifest.ts';
import { leastMeans, type Means } from './means.ts';
import { modelFolder } from './model-folder.ts';
import { sessionOptions } from './session-options.ts';
import type { ModelStore } from './store.ts';

export interface StoreOptions {
  /** The models folder, see `modelsDir`. */
  dir: string;
  /** CPU threads of each session. */
  threads: number;
  /** The device that was tested at the start; models whose manifest says so run on its GPU. `cpu` by default. */
  device?: DeviceKind;
  /** What models are chosen by; npm packages alone by default. */
  means?: Means;
  /** Hears of each session when it is open, and again when it has run for the first time. */
  onLoading?(loading: ModelLoading): void;
}

export function openModelStore(options: StoreOptions): ModelStore {
  const { dir, threads, device = 'cpu', means = leastMeans, onLoading } = options;
  const sessions = new Map<string, Promise<InferenceSession>>();

  function folder(modelId: string): string {
    const found = modelFolder(dir, findModel(modelId));
    if (!existsSync(found)) throw new Error(`the model ${modelId} is not in ${dir}; it was never fetched`);
    return found;
  }

  async function open(modelId: string, file: string): Promise<InferenceSession> {
    // A native library of 20 MB, which processes that run no ONNX model need not load.
    const { InferenceSession } = await import('onnxruntime-node');
    const cuda = device === 'cuda' ? findModel(modelId).cuda : undefined;
    const startedMs = performance.now();
    const session = await InferenceSession.create(
      path.join(folder(modelId), file),
      sessionOptions(cuda ? 'cuda' : 'cpu', threads),
    );
    if (cuda) allowBatches(session, cuda.maxBatch);
    const loading = { id: modelId, file, openMs: since(startedMs), firstRunMs: null };
    onLoading?.(loading);
    if (onLoading) timeFirstRun(session, (firstRunMs) => onLoading({ ...loading, firstRunMs }));
    return session;
  }

  return {
    means,
    folder,

    async session(modelId, file = onlyOnnxFile(modelId)) {
      const onnxFile = path.join(folder(modelId), file);
      const opening = sessions.get(onnxFile) ?? open(modelId, file);
      sessions.set(onnxFile, opening);
      opening.catch(() => sessions.delete(onnxFile));
      return opening;
    },

    device: (modelId) => (device === 'cuda' && findModel(modelId).cuda ? 'cuda' : 'cpu'),

    describe(modelId) {
      const model = findModel(modelId);
      const { id, version, weightsLicence: licence, note } = model;
      return { id, version, sha256: modelSha256(model), licence, note };
    },
  };
}

const since = (startedMs: number) => Math.round(performance.now() - startedMs);

/** Puts a watch in front of the session's `run`, which goes away with the first run that succeeds. */
function timeFirstRun(session: InferenceSession, onRun: (firstRunMs: number) => void): void {
  const run = session.run;
  async function timed(...given: Parameters<InferenceSession['run']>) {
    const startedMs = performance.now();
    const results = await run.apply(session, given);
    if (session.run !== run) {
      session.run = run;
      onRun(since(startedMs));
    }
    return results;
  }
  session.run = timed as InferenceSession['run'];
}

function onlyOnnxFile(modelId: string): string {
  const [name, ...others] = findModel(modelId)
    .files.map((file) => file.name)
    .filter((candidate) => candidate.endsWith('.onnx'));
  if (!name || others.length > 0) throw new Error(`the model ${modelId} needs the name of its ONNX file`);
  return name;
}
