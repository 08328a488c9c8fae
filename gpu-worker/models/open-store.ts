/** The model store over a models folder that `ensureModels` has filled. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { InferenceSession } from 'onnxruntime-node';
import { findModel, modelSha256 } from './manifest.ts';
import { modelFolder } from './model-folder.ts';
import type { ModelStore } from './store.ts';

export interface StoreOptions {
  /** The models folder, see `modelsDir`. */
  dir: string;
  /** CPU threads of each session. */
  threads: number;
}

const ERRORS_ONLY = 3;

export function openModelStore({ dir, threads }: StoreOptions): ModelStore {
  const sessions = new Map<string, Promise<InferenceSession>>();

  function folder(modelId: string): string {
    const found = modelFolder(dir, findModel(modelId));
    if (!existsSync(found)) throw new Error(`the model ${modelId} is not in ${dir}; it was never fetched`);
    return found;
  }

  async function open(file: string): Promise<InferenceSession> {
    // A native library of 20 MB, which processes that run no ONNX model need not load.
    const { InferenceSession } = await import('onnxruntime-node');
    return InferenceSession.create(file, {
      executionProviders: ['cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: ERRORS_ONLY,
      // Threads that wait for work by spinning take cores from decoders and other models: a detector's
      // run took 147 ms with and 96 ms without it on two busy cores.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
  }

  return {
    folder,

    async session(modelId, file = onlyOnnxFile(modelId)) {
      const onnxFile = path.join(folder(modelId), file);
      const opening = sessions.get(onnxFile) ?? open(onnxFile);
      sessions.set(onnxFile, opening);
      opening.catch(() => sessions.delete(onnxFile));
      return opening;
    },

    describe(modelId) {
      const model = findModel(modelId);
      const { id, version, weightsLicence: licence, note } = model;
      return { id, version, sha256: modelSha256(model), licence, note };
    },
  };
}

function onlyOnnxFile(modelId: string): string {
  const [name, ...others] = findModel(modelId)
    .files.map((file) => file.name)
    .filter((candidate) => candidate.endsWith('.onnx'));
  if (!name || others.length > 0) throw new Error(`the model ${modelId} needs the name of its ONNX file`);
  return name;
}
