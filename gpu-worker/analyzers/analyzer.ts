/**
 * What an analyzer is. One analyzer is one file beside this one; `index.ts` lists them.
 *
 * The pipeline decodes a medium once and feeds every analyzer from that one decode, in the
 * order of time. Now and then, and at the end, it asks what has become final and saves it
 * as a part. A job that is resumed elsewhere goes on where each analyzer's last part ended:
 * the new session gets the rows saved before, and the medium from `fromMs` on.
 */
import type { ResultRow } from '../../functions/core/results/rows.ts';
import type { Means } from '../models/means.ts';
import type { ModelStore } from '../models/store.ts';

export type MediaKind = 'image' | 'audio' | 'video';

/** One upright picture, RGB, 8 bits, rows without padding. Valid only during the call it is passed to. */
export interface Frame {
  tMs: number;
  width: number;
  height: number;
  data: Uint8Array;
}

/** What an analyzer wants to be fed. It gets at most this; a still picture is one frame. */
export interface Feed {
  /** Pictures: at most `fps` a second (0 = every frame), scaled down to at most `maxWidth` pixels wide. */
  frames?: { fps: number; maxWidth: number };
  /** Sound: 16 kHz, mono, float32 in -1..1. */
  pcm?: true;
}

/** Rows that are final: nothing more will come of before `toMs`. */
export interface Part {
  toMs: number;
  rows: ResultRow[];
}

/** How an analyzer ended on a medium. `reason` is a sentence for people where it is not `ok`. */
export interface Outcome {
  status: 'ok' | 'nothing_found' | 'unsupported_language' | 'skipped' | 'failed';
  reason: string | null;
}

export interface AnalyzerContext {
  models: ModelStore;
  kind: MediaKind;
  durationMs: number;
  /** Where to go on: 0, or the `toMs` of the last part saved. */
  fromMs: number;
  /** This analyzer's rows of the parts saved before `fromMs`. */
  saved: ResultRow[];
  /** Language asked for, as a BCP 47 code such as `en`, or null to detect it. */
  language: string | null;
  /** Keeps a picture (WebP, JPEG, PNG) below the job's result prefix and gives its name back. */
  savePicture(name: string, bytes: Uint8Array, contentType: string): Promise<string>;
  /** CPU threads this analyzer may use. */
  threads: number;
  signal: AbortSignal;
}

export interface AnalyzerSession {
  onFrame?(frame: Frame): Promise<void>;
  /** `startMs` is the time of the first sample. Chunks follow each other without gaps. */
  onPcm?(samples: Float32Array, startMs: number): Promise<void>;
  /**
   * Everything that has become final since the last call, at most up to `nowMs`: up to there it was fed,
   * with pictures and with sound where it gets both, unless one of them has ended.
   */
  drain(nowMs: number): Promise<Part>;
  /** The rest, after the last frame and sample. */
  finish(): Promise<Part & { outcome: Outcome }>;
  dispose(): Promise<void>;
}

export interface Analyzer {
  /** The word users ask with: `transcribe`, `ocr`, `faces`, `objects`, `scenes`. */
  name: string;
  /** Changes whenever the same medium would give another result. */
  version: string;
  kinds: MediaKind[];
  feed: Feed;
  /** Ids of the models it needs, as in the model manifest; where it has a choice, by what the worker may use. */
  models: readonly string[] | ((means: Means) => readonly string[]);
  /** Share of the whole work, measured, for progress and estimates: CPU seconds per second of medium. */
  cost: number;
  start(context: AnalyzerContext): Promise<AnalyzerSession>;
}

/** The models that the analyzer takes on a worker with these means. */
export function modelsOf({ models }: Analyzer, means: Means): readonly string[] {
  return typeof models === 'function' ? models(means) : models;
}
