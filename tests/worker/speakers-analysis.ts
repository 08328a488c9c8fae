/** Runs `speakers` over sound, as the pipeline would. */
import { ResultRow } from '../../functions/core/results/rows.ts';
import { modelsOf, type Outcome } from '../../gpu-worker/analyzers/analyzer.ts';
import { speakers } from '../../gpu-worker/analyzers/speakers.ts';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import { leastMeans, type Means } from '../../gpu-worker/models/means.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';
import type { ModelStore } from '../../gpu-worker/models/store.ts';
import type { SpokenTurn } from '../media/conversation.ts';
import { SAMPLES_PER_MS } from './sound-analysis.ts';

export interface Diarization {
  rows: ResultRow[];
  outcome: Outcome | null;
  /** The last part's `toMs`. */
  toMs: number;
}

export interface Course {
  /** Those of a machine with pip where nothing is said. */
  means?: Means;
  chunkMs?: number;
  /** Goes on where this one stopped. */
  after?: Diarization;
  /** Stops here without an end, as a lost worker does. */
  stopAtMs?: number;
  /** Only this stretch of the sound, as a piece of a long medium. */
  range?: { fromMs: number; toMs: number };
}

export const withPip: Means = { ...leastMeans, hasPip: true };

const dir = modelsDir(process.env);
const stores = new Map<Means, ModelStore>();

export async function diarize(sound: Float32Array, course: Course = {}): Promise<Diarization> {
  const { means = withPip, chunkMs = 500, after, stopAtMs = Number.POSITIVE_INFINITY, range } = course;
  await ensureModels(modelsOf(speakers, means), { dir });
  const models = stores.get(means) ?? openModelStore({ dir, threads: 2, means });
  stores.set(means, models);
  const durationMs = Math.min(Math.ceil(sound.length / SAMPLES_PER_MS), range?.toMs ?? Infinity);
  const result: Diarization = { rows: [], outcome: null, toMs: after?.toMs ?? range?.fromMs ?? 0 };
  const fromMs = result.toMs;
  const session = await speakers.start({
    ...{ models, kind: 'audio', durationMs, fromMs, saved: after?.rows ?? [], language: null, threads: 2 },
    savePicture: () => Promise.reject(new Error('voices have no pictures')),
    signal: new AbortController().signal,
  });
  const take = (part: { toMs: number; rows: ResultRow[] }) => {
    for (const row of part.rows.map((each) => ResultRow.parse(each))) {
      const isOutside = row.startMs < result.toMs || row.endMs > part.toMs;
      if (row.kind === 'voice' && isOutside) throw new Error('a turn outside its part');
      result.rows.push(row);
    }
    if (part.toMs < result.toMs) throw new Error('it went back in time');
    result.toMs = part.toMs;
  };
  try {
    for (let atMs = fromMs; atMs < Math.min(durationMs, stopAtMs); atMs += chunkMs) {
      const endMs = Math.min(atMs + chunkMs, durationMs);
      await session.onPcm?.(sound.slice(atMs * SAMPLES_PER_MS, endMs * SAMPLES_PER_MS), atMs);
      take(await session.drain(endMs));
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

/** Who was heard when. */
export function turnsIn(rows: readonly ResultRow[]): SpokenTurn[] {
  const speakerOf = new Map(
    rows.flatMap((row) => (row.kind === 'speaker' ? row.turnIds.map((id) => [id, row.speakerId]) : [])),
  );
  return rows.flatMap((row) =>
    row.kind === 'voice'
      ? { speaker: speakerOf.get(row.turnId)!, startMs: row.startMs, endMs: row.endMs }
      : [],
  );
}

export const speakerCount = (rows: readonly ResultRow[]) =>
  rows.filter((row) => row.kind === 'speaker').length;
