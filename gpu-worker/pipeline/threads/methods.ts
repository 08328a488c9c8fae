/** What the worker and a thread that analyses ask of each other. */
import type { ModelLoading } from '../../../functions/core/results/run.ts';
import type { AnalyzerContext, Frame, Outcome, Part } from '../../analyzers/analyzer.ts';
import type { DeviceKind } from '../../models/manifest.ts';
import type { Means } from '../../models/means.ts';

/** What a thread is started with. */
export interface ThreadData {
  modelsDir: string;
  /** CPU threads of each ONNX session. */
  threads: number;
  device: DeviceKind;
  means: Means;
}

/** Of a context, what can be copied to a thread. */
export type SentContext = Omit<AnalyzerContext, 'models' | 'savePicture' | 'signal'>;

/** Sessions are called by numbers that the worker gives them. */
export type ThreadMethods = {
  start(given: { session: number; analyzer: string; context: SentContext }): Promise<void>;
  frame(given: { session: number; frame: Frame }): Promise<void>;
  pcm(given: { session: number; samples: Float32Array; startMs: number }): Promise<void>;
  drain(given: { session: number; nowMs: number }): Promise<Part>;
  finish(given: { session: number }): Promise<Part & { outcome: Outcome }>;
  dispose(given: { session: number }): Promise<void>;
  /** Aborts the signal of its context. */
  abort(given: { session: number; reason: unknown }): void;
  /** Aborts all sessions, lets what runs come to its end, and ends the thread: it never answers. */
  end(given: { reason: unknown }): Promise<never>;
};

export type WorkerMethods = {
  savePicture(given: {
    session: number;
    name: string;
    bytes: Uint8Array;
    contentType: string;
  }): Promise<string>;
  /** A model was opened, or has run for the first time. */
  loaded(given: ModelLoading): void;
};
