/** Runs one analyzer that looks at pictures over a film or a picture, as the pipeline would. */
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { ResultRow } from '../../functions/core/results/rows.ts';
import {
  type Analyzer,
  type Frame,
  type MediaKind,
  modelsOf,
  type Outcome,
} from '../../gpu-worker/analyzers/analyzer.ts';
import { decode } from '../../gpu-worker/media/decode.ts';
import { probeMedium } from '../../gpu-worker/media/probe.ts';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import { leastMeans, type Means } from '../../gpu-worker/models/means.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';

export interface Analysis {
  rows: ResultRow[];
  outcome: Outcome | null;
  /** The last part's `toMs`. */
  toMs: number;
  pictures: Map<string, Uint8Array>;
}

export interface Course {
  /** Asks for what is final this often. */
  partMs?: number;
  /** Goes on where this one stopped. */
  after?: Analysis;
  /** Stops here without an end, as a lost worker does. */
  stopAtMs?: number;
  /** What the worker may use; only what every machine has where it is left out. */
  means?: Means;
}

const dir = modelsDir(process.env);

export async function analyzeFilm(analyzer: Analyzer, path: string, course: Course = {}): Promise<Analysis> {
  const medium = await probeMedium({ path });
  const { partMs = 10_000, after, stopAtMs = Number.POSITIVE_INFINITY, means } = course;
  const fromMs = after?.toMs ?? 0;
  const feed = { ...analyzer.feed.frames!, fromMs };
  const frames = decode({ path }, medium, { frames: [feed], pcm: null, threads: 1 });
  const analysis = await begin(analyzer, 'video', medium.durationMs, means, after);
  let nextPartMs = fromMs + partMs;
  for await (const item of frames) {
    if (item.type !== 'frame') continue;
    if (item.frame.tMs >= stopAtMs) return analysis.result;
    await analysis.feed(item.frame);
    if (item.frame.tMs >= nextPartMs) {
      await analysis.part(item.frame.tMs);
      nextPartMs += partMs;
    }
  }
  return analysis.finish();
}

export async function analyzePicture(
  analyzer: Analyzer,
  path: string | Buffer,
  means?: Means,
): Promise<Analysis> {
  const { data, info } = await sharp(path)
    .rotate()
    .flatten()
    .toColourspace('srgb')
    .resize({ width: analyzer.feed.frames!.maxWidth, withoutEnlargement: true })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const analysis = await begin(analyzer, 'image', 0, means);
  await analysis.feed({ tMs: 0, width: info.width, height: info.height, data });
  return analysis.finish();
}

async function begin(
  analyzer: Analyzer,
  kind: MediaKind,
  durationMs: number,
  means = leastMeans,
  after?: Analysis,
) {
  await ensureModels(modelsOf(analyzer, means), { dir });
  const result: Analysis = { rows: [], outcome: null, toMs: after?.toMs ?? 0, pictures: new Map() };
  const session = await analyzer.start({
    models: openModelStore({ dir, threads: 1, means }),
    kind,
    durationMs,
    fromMs: result.toMs,
    saved: after?.rows ?? [],
    language: null,
    async savePicture(name, bytes) {
      await sleep(1);
      result.pictures.set(name, bytes);
      return name;
    },
    threads: 1,
    signal: new AbortController().signal,
  });
  const take = ({ toMs, rows }: { toMs: number; rows: ResultRow[] }) => {
    result.rows.push(...rows.map((row) => ResultRow.parse(row)));
    result.toMs = toMs;
  };
  return {
    result,
    async feed(frame: Frame) {
      const data = Uint8Array.from(frame.data);
      await session.onFrame?.({ ...frame, data });
      // A frame is valid only during the call: whoever looks at it later sees nothing.
      data.fill(0);
    },
    part: async (nowMs: number) => take(await session.drain(nowMs)),
    async finish() {
      const last = await session.finish();
      take(last);
      result.outcome = last.outcome;
      await session.dispose();
      return result;
    },
  };
}
