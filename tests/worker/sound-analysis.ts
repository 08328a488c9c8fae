/** Runs `transcribe` over sound, as the pipeline would. */
import { readFile } from 'node:fs/promises';
import { ResultRow, type SegmentRow } from '../../functions/core/results/rows.ts';
import { modelsOf, type Outcome } from '../../gpu-worker/analyzers/analyzer.ts';
import { transcribe } from '../../gpu-worker/analyzers/transcribe.ts';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import { leastMeans, type Means } from '../../gpu-worker/models/means.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';
import type { ModelStore } from '../../gpu-worker/models/store.ts';

export interface Transcript {
  rows: SegmentRow[];
  outcome: Outcome | null;
  /** The last part's `toMs`. */
  toMs: number;
}

export interface Course {
  /** Npm packages alone where nothing is said. */
  means?: Means;
  language?: string | null;
  /** Length of a chunk. */
  chunkMs?: number;
  /** Goes on where this one stopped. */
  after?: Transcript;
  /** Stops here without an end, as a lost worker does. */
  stopAtMs?: number;
}

export const SAMPLES_PER_MS = 16;

const dir = modelsDir(process.env);
const stores = new Map<Means, ModelStore>();

export async function transcribeSound(sound: Float32Array, course: Course = {}): Promise<Transcript> {
  const {
    means = leastMeans,
    language = null,
    chunkMs = 500,
    after,
    stopAtMs = Number.POSITIVE_INFINITY,
  } = course;
  await ensureModels(modelsOf(transcribe, means), { dir });
  const models = stores.get(means) ?? openModelStore({ dir, threads: 1, means });
  stores.set(means, models);
  const durationMs = Math.ceil(sound.length / SAMPLES_PER_MS);
  const result: Transcript = { rows: [], outcome: null, toMs: after?.toMs ?? 0 };
  const fromMs = result.toMs;
  const session = await transcribe.start({
    ...{ models, kind: 'audio', durationMs, fromMs, saved: after?.rows ?? [], language, threads: 1 },
    savePicture: () => Promise.reject(new Error('speech has no pictures')),
    signal: new AbortController().signal,
  });
  const take = (part: { toMs: number; rows: ResultRow[] }) => {
    for (const row of part.rows.map((each) => ResultRow.parse(each))) {
      if (row.kind !== 'segment') throw new Error(`a row of kind ${row.kind}`);
      if (row.startMs < result.toMs || row.endMs > part.toMs) throw new Error('a row outside its part');
      result.rows.push(row);
    }
    if (part.toMs < result.toMs) throw new Error('it went back in time');
    result.toMs = part.toMs;
  };
  try {
    for (let atMs = fromMs; atMs < Math.min(durationMs, stopAtMs); atMs += chunkMs) {
      await session.onPcm?.(sound.slice(atMs * SAMPLES_PER_MS, (atMs + chunkMs) * SAMPLES_PER_MS), atMs);
      take(await session.drain(Math.min(atMs + chunkMs, durationMs)));
    }
    if (stopAtMs >= durationMs) {
      const last = await session.finish();
      take(last);
      result.outcome = last.outcome;
    }
  } finally {
    await session.dispose();
  }
  return result;
}

/** A WAV with the plain 44-byte header: 16 kHz, mono, 16 bits. */
export async function readWav(file: string): Promise<Float32Array> {
  const wav = await readFile(file);
  const start = wav.indexOf('data') + 8;
  return Float32Array.from(
    { length: (wav.length - start) >> 1 },
    (_, i) => wav.readInt16LE(start + i * 2) / 32768,
  );
}

/** Recordings one after the other with so much silence after each. */
export function withPauses(recordings: readonly Float32Array[], pauseMs: number): Float32Array {
  const pause = pauseMs * SAMPLES_PER_MS;
  const sound = new Float32Array(recordings.reduce((sum, { length }) => sum + length + pause, 0));
  let at = 0;
  for (const recording of recordings) {
    sound.set(recording, at);
    at += recording.length + pause;
  }
  return sound;
}

/** Noise that is the same every time: a linear congruential generator (Numerical Recipes). */
export function noise(durationMs: number, amplitude: number): Float32Array {
  let state = 1;
  return Float32Array.from({ length: durationMs * SAMPLES_PER_MS }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * amplitude;
  });
}

export const words = ({ rows }: Pick<Transcript, 'rows'>) => rows.flatMap((row) => row.words);

/** Word error rate: edits from what was said to what was heard, over the number of words said. */
export function wordErrorRate(said: string, heard: string): number {
  const [a, b] = [said.split(' '), heard.split(' ').filter(Boolean)];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    above = row;
  }
  return above[b.length]! / a.length;
}
