/**
 * The analysis of one medium.
 *
 * The medium is decoded once, from where the first analyzer has to go on. Every frame and
 * every run of samples goes to the lanes (pipeline/lane.ts) of the analyzers that it is due
 * for. Each lane works at its own pace behind a bounded queue: lanes run side by side, and
 * the decoder waits for the slowest.
 *
 * Who may fail: an analyzer (its outcome says so, the others go on), the medium (a MediaError
 * ends all), the saving of a part (ends all), the caller's signal (ends all). Whatever was
 * saved stays, and a later call goes on behind it.
 */
import type { ResultRow } from '../functions/core/results/rows.ts';
import { type Analyzer, type MediaKind, modelsOf, type Outcome, type Part } from './analyzers/analyzer.ts';
import { decode } from './media/decode.ts';
import { type Medium, probeMedium } from './media/probe.ts';
import type { FrameFeed } from './media/sampling.ts';
import type { MediaSource } from './media/source.ts';
import type { ModelStore } from './models/store.ts';
import { type Lane, startLane } from './pipeline/lane.ts';
import { progressOf } from './pipeline/progress.ts';

export interface Range {
  fromMs: number;
  toMs: number;
}

export interface AnalysisOptions {
  source: MediaSource;
  analyzers: readonly Analyzer[];
  models: ModelStore;
  /** By the analyzer's name, where parts were saved before. */
  resume?: Record<string, { fromMs: number; saved: ResultRow[] }>;
  /** Only this stretch of the medium, [fromMs, toMs), or null for all of it. */
  range?: Range | null;
  /** BCP 47, or null to detect it. */
  language: string | null;
  /** CPU threads for everything together. */
  threads: number;
  signal: AbortSignal;
  savePicture(name: string, bytes: Uint8Array, contentType: string): Promise<string>;
  /** Saves a part; the analyzer goes on when it resolves. A rejection ends the analysis. */
  onPart(analyzer: string, part: Part & { fromMs: number }): Promise<void>;
  /** 0..1, rising, at most twice a second, and 1 at the end. */
  onProgress?(fraction: number): void;
}

export interface AnalyzerReport {
  name: string;
  version: string;
  outcome: Outcome;
  wallMs: number;
  models: ReturnType<ModelStore['describe']>[];
}

export interface Analysis {
  medium: Medium;
  /** One for each analyzer asked for, in their order. */
  analyzers: AnalyzerReport[];
  /** Sentences about places of the medium that could not be read. */
  damages: string[];
}

/** Throws a MediaError for a medium that cannot be analysed, what `onPart` throws, and the signal's reason. */
export async function analyzeMedium(options: AnalysisOptions): Promise<Analysis> {
  const { source, analyzers, models } = options;
  const medium = await probeMedium(source, options.signal);
  const range = rangeWithin(medium, options);
  const skipped = new Map(analyzers.map((analyzer) => [analyzer, whyNot(analyzer, medium)]));
  const active = analyzers.filter((analyzer) => skipped.get(analyzer) === null);
  // When one part cannot be saved, the other lanes end with it.
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const onPart = async (name: string, part: Part & { fromMs: number }) => {
    try {
      await options.onPart(name, part);
    } catch (error) {
      failure.abort(error);
      throw error;
    }
  };
  const lanes = active.map((analyzer) =>
    startLane({
      analyzer,
      context: {
        ...{ models, kind: medium.kind, durationMs: range.toMs },
        ...resumeOf(analyzer, options),
        ...{ language: options.language, savePicture: options.savePicture, signal },
        threads: Math.max(1, Math.floor(options.threads / active.length)),
      },
      isFedByBoth: isFedByBoth(analyzer, medium),
      onPart: (part) => onPart(analyzer.name, part),
    }),
  );
  const done = new Set<Lane>();
  const progress = progressOf(
    lanes.map((lane, index) => ({
      cost: active[index]!.cost,
      done: () =>
        done.has(lane) ? 1 : (lane.doneMs - range.fromMs) / Math.max(range.toMs - range.fromMs, 1),
    })),
    (fraction) => options.onProgress?.(fraction),
  );
  try {
    const damages = await feedLanes(active, lanes, medium, signal, options, progress.update);
    const results = await Promise.all(
      lanes.map(async (lane) => {
        const result = await lane.end();
        done.add(lane);
        progress.update();
        return result;
      }),
    );
    progress.finish();
    const reports = analyzers.map((analyzer): AnalyzerReport => {
      const { name, version } = analyzer;
      const reason = skipped.get(analyzer) ?? null;
      if (reason !== null) {
        return { name, version, outcome: { status: 'skipped', reason }, wallMs: 0, models: [] };
      }
      const result = results[active.indexOf(analyzer)]!;
      return {
        name,
        version,
        ...result,
        models: modelsOf(analyzer, models.means).map((id) => models.describe(id)),
      };
    });
    return { medium, analyzers: reports, damages };
  } catch (error) {
    failure.abort(error);
    await Promise.all(lanes.map((lane) => lane.stop()));
    throw error;
  }
}

const kindWords: Record<MediaKind, string> = { image: 'a picture', audio: 'a recording', video: 'a film' };

/** Why an analyzer has nothing to do with a medium, as a sentence, or null. */
function whyNot({ kinds, feed }: Analyzer, medium: Medium): string | null {
  if (!kinds.includes(medium.kind)) return `This analysis is not made for ${kindWords[medium.kind]}.`;
  const wantsSoundOnly = feed.pcm && !feed.frames;
  return wantsSoundOnly && !medium.hasSound ? 'There is no sound in the file.' : null;
}

function isFedByBoth({ feed }: Analyzer, { kind, hasSound }: Medium): boolean {
  return feed.frames !== undefined && feed.pcm === true && kind === 'video' && hasSound;
}

/** What is analysed; all of the medium where nothing else was asked for. */
function rangeWithin({ durationMs }: Medium, { range }: AnalysisOptions): Range {
  if (!range) return { fromMs: 0, toMs: durationMs };
  // A medium may turn out shorter than it was taken for: then there is nothing in its last piece.
  return { fromMs: range.fromMs, toMs: Math.max(range.fromMs, Math.min(range.toMs, durationMs)) };
}

function resumeOf(
  analyzer: Analyzer,
  { resume, range }: AnalysisOptions,
): { fromMs: number; saved: ResultRow[] } {
  return resume?.[analyzer.name] ?? { fromMs: range?.fromMs ?? 0, saved: [] };
}

/** Decodes the medium into the lanes; returns what was damaged. */
async function feedLanes(
  analyzers: readonly Analyzer[],
  lanes: readonly Lane[],
  medium: Medium,
  signal: AbortSignal,
  options: AnalysisOptions,
  onFed: () => void,
): Promise<string[]> {
  const damages: string[] = [];
  const frameFeeds: FrameFeed[] = [];
  const frameLanes: Lane[] = [];
  const soundLanes: Lane[] = [];
  let soundFromMs = Number.POSITIVE_INFINITY;
  for (const [index, analyzer] of analyzers.entries()) {
    const { fromMs } = resumeOf(analyzer, options);
    if (analyzer.feed.frames) {
      frameFeeds.push({ ...analyzer.feed.frames, fromMs });
      frameLanes.push(lanes[index]!);
    }
    if (analyzer.feed.pcm) {
      soundLanes.push(lanes[index]!);
      soundFromMs = Math.min(soundFromMs, fromMs);
    }
  }
  const plan = {
    frames: frameFeeds,
    pcm: soundLanes.length > 0 ? { fromMs: soundFromMs } : null,
    toMs: options.range?.toMs ?? Infinity,
    threads: options.threads,
    signal,
  };
  if (frameFeeds.length === 0 && soundLanes.length === 0) return damages;
  for await (const item of decode(options.source, medium, plan)) {
    if (item.type === 'frame') {
      await Promise.all(item.feeds.map((feed) => frameLanes[feed]!.push(item.frame)));
    } else if (item.type === 'pcm') await Promise.all(soundLanes.map((lane) => lane.push(item)));
    else damages.push(item.sentence);
    onFed();
  }
  return damages;
}
