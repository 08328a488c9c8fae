/** Feeds `signals` with pictures and sound as the pipeline would, exactly, without coding them. */
import { type LoudnessRow, ResultRow } from '../../functions/core/results/rows.ts';
import type { Outcome } from '../../gpu-worker/analyzers/analyzer.ts';
import { signals } from '../../gpu-worker/analyzers/signals.ts';
import { noModels } from './no-models.ts';

export interface Film {
  durationMs: number;
  /** Shown from these times on: a grey of this level everywhere, or these levels, 64 x 36. */
  pictures?: { tMs: number; grey: number | ((pixel: number) => number) }[];
  /** 16 kHz, from `soundFromMs` on, 0 by default. */
  sound?: Float32Array;
  soundFromMs?: number;
}

export interface Found {
  rows: ResultRow[];
  /** The last part's `toMs`. */
  toMs: number;
  parts: number[];
  outcome: Outcome | null;
}

export interface Course {
  /** What is final is asked for so often. */
  partMs?: number;
  after?: Found;
  /** Stops at the first part that ends here or later. */
  stopAtMs?: number;
}

const [width, height] = [64, 36];
const chunkMs = 500;

export async function findSignals(film: Film, course: Course = {}): Promise<Found> {
  const { partMs = 10_000, after, stopAtMs = Number.POSITIVE_INFINITY } = course;
  const { durationMs, pictures = [], sound = new Float32Array(0), soundFromMs = 0 } = film;
  const fromMs = after?.toMs ?? 0;
  const found: Found = { rows: [], toMs: fromMs, parts: [], outcome: null };
  const session = await signals.start({
    ...{ models: noModels, kind: pictures.length > 0 ? 'video' : 'audio', durationMs, fromMs },
    ...{ saved: after?.rows ?? [], language: null, threads: 1, signal: new AbortController().signal },
    savePicture: () => Promise.reject(new Error('no picture is kept')),
  });
  const take = ({ toMs, rows }: { toMs: number; rows: ResultRow[] }) => {
    if (toMs < found.toMs) throw new Error('it went back in time');
    // The pipeline saves nothing where nothing has become final.
    if (toMs === found.toMs && rows.length > 0 && found.outcome === null)
      throw new Error('rows would be lost');
    found.rows.push(...rows.map((row) => ResultRow.parse(row)));
    found.toMs = toMs;
    found.parts.push(toMs);
  };
  let nextPartMs = fromMs + partMs;
  for (let atMs = 0; atMs < durationMs; atMs += chunkMs) {
    for (const { tMs, grey } of pictures) {
      if (tMs < atMs || tMs >= atMs + chunkMs || tMs < fromMs) continue;
      await session.onFrame!({ tMs, width, height, data: picture(grey) });
    }
    const startMs = Math.max(atMs, soundFromMs, fromMs);
    const samples = sound.slice((startMs - soundFromMs) * 16, Math.max(0, atMs + chunkMs - soundFromMs) * 16);
    if (samples.length > 0) await session.onPcm!(samples, startMs);
    const nowMs = atMs + chunkMs;
    if (nowMs < nextPartMs || nowMs >= durationMs) continue;
    nextPartMs = nowMs + partMs;
    take(await session.drain(nowMs));
    if (found.toMs >= stopAtMs) return found;
  }
  const last = await session.finish();
  found.outcome = last.outcome;
  take(last);
  await session.dispose();
  return found;
}

function picture(grey: number | ((pixel: number) => number)): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  if (typeof grey === 'number') return data.fill(grey);
  for (let pixel = 0; pixel < width * height; pixel++) data.fill(grey(pixel), pixel * 3, pixel * 3 + 3);
  return data;
}

/** Ten pictures a second in [fromMs, toMs). */
export function shown(
  fromMs: number,
  toMs: number,
  grey: (index: number) => number | ((pixel: number) => number),
): NonNullable<Film['pictures']> {
  return Array.from({ length: (toMs - fromMs) / 100 }, (_, i) => ({ tMs: fromMs + i * 100, grey: grey(i) }));
}

/** A sine at 997 Hz, whose peak is so many dB below full scale. */
export function tone(durationMs: number, dbfs: number): Float32Array {
  const peak = 10 ** (dbfs / 20);
  return Float32Array.from(
    { length: durationMs * 16 },
    (_, i) => peak * Math.sin((2 * Math.PI * 997 * i) / 16_000),
  );
}

export function silence(durationMs: number): Float32Array {
  return new Float32Array(durationMs * 16);
}

export function inARow(...sounds: Float32Array[]): Float32Array {
  const whole = new Float32Array(sounds.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const sound of sounds) {
    whole.set(sound, at);
    at += sound.length;
  }
  return whole;
}

/** The steps of all rows in one, which must follow each other. */
export function stepsOf({ rows }: Pick<Found, 'rows'>): Pick<LoudnessRow, 'momentaryLufs' | 'peaks'> {
  const own = rows.filter((row) => row.kind === 'loudness');
  for (const [index, row] of own.entries()) {
    if (index > 0 && row.startMs !== own[index - 1]!.endMs) throw new Error('a gap between rows');
  }
  return {
    momentaryLufs: own.flatMap((row) => row.momentaryLufs),
    peaks: own.flatMap((row) => row.peaks),
  };
}
