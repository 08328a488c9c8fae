/** Where analyzers get their models from. Implemented in `open-store.ts`. */
import type { InferenceSession } from 'onnxruntime-node';
import type { DeviceKind } from './manifest.ts';
import type { Means } from './means.ts';

export interface ModelStore {
  /** What the models in it were chosen by. */
  readonly means: Means;
  /** Absolute path of the model's folder, in which its files have the names the manifest gives them. */
  folder(modelId: string): string;
  /** An ONNX Runtime session, opened once and shared; `file` where a model has several. */
  session(modelId: string, file?: string): Promise<InferenceSession>;
  /** What the model's sessions run on. */
  device(modelId: string): DeviceKind;
  /** Provenance of a model, as it is stored with results. */
  describe(modelId: string): {
    id: string;
    version: string;
    sha256: string;
    licence: string;
    note: string | null;
  };
}
