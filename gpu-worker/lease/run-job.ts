/**
 * One job from claim to end: look at the medium, go on where an earlier attempt stopped, feed the
 * analyzers, save each part as it comes, and say how it went.
 */
import { log } from '../../functions/core/log.ts';
import type { Loading, RunReport } from '../../functions/core/results/run.ts';
import { modelsOf } from '../analyzers/analyzer.ts';
import { analyzers } from '../analyzers/index.ts';
import { MediaError } from '../media/errors.ts';
import { type Medium, probeMedium } from '../media/probe.ts';
import { ensureModels, ModelFetchError } from '../models/ensure-models.ts';
import type { ModelStore } from '../models/store.ts';
import type { AnalysisThreads } from '../pipeline/threads.ts';
import { analyzeMedium } from '../pipeline.ts';
import type { Bell } from './bell.ts';
import { savePicture } from './pictures.ts';
import { type Access, type ClaimedJob, type SavedParts, type Server, Superseded } from './server.ts';

export interface Tools {
  server: Server;
  bell: Bell;
  models: ModelStore;
  modelsDir: string;
  /** CPU threads. */
  threads: number;
  /** Where the analyzers run. */
  analysis: AnalysisThreads;
  /** What the models run on, as reports call it. */
  device: string;
  /** What the worker calls itself in reports. */
  version: string;
}

/** A presigned address is renewed by the server well before it expires; ours is taken anew this often. */
const accessMs = 30 * 60_000;

/** Never throws for what a medium or an analyzer does; throws when the lease is over. */
export async function runJob(tools: Tools, job: ClaimedJob, signal: AbortSignal): Promise<void> {
  // The clock may be set while it works.
  const startedMs = performance.now();
  const report: RunReport = {
    startedAt: new Date().toISOString(),
    wallMs: 0,
    transferMs: 0,
    device: tools.device,
    worker: tools.version,
    medium: null,
    damages: [],
    analyzers: [],
  };
  try {
    await analyze(tools, job, report, signal);
    report.wallMs = Math.round(performance.now() - startedMs);
    await end(tools, job, report);
  } catch (error) {
    if (error instanceof Superseded) return;
    signal.throwIfAborted();
    report.wallMs = Math.round(performance.now() - startedMs);
    if (!(error instanceof MediaError)) log.error('a job failed', { jobId: job.jobId, error });
    await tools.server.fail(job, { ...failureOf(error), run: report });
  }
}

async function analyze(tools: Tools, job: ClaimedJob, report: RunReport, signal: AbortSignal): Promise<void> {
  const { server, bell, models, threads, analysis: lanes } = tools;
  const access = renewing(job, server);
  let transferMs = 0;
  const source = {
    url: async () => (await access()).getUrl,
    onWaited(waitedMs: number) {
      transferMs += waitedMs;
      report.transferMs = Math.round(transferMs);
    },
  };
  const chosen = analyzers.filter((analyzer) => job.analyses.includes(analyzer.name));
  if (chosen.length === 0) {
    report.medium = mediumReport(await probeMedium(source, signal));
    return;
  }
  const fetchingMs = performance.now();
  await ensureModels([...new Set(chosen.flatMap((analyzer) => modelsOf(analyzer, models.means)))], {
    dir: tools.modelsDir,
    signal,
  });
  const loading: Loading = { fetchMs: Math.round(performance.now() - fetchingMs), models: [] };
  report.loading = loading;
  const analysis = await analyzeMedium({
    source,
    analyzers: lanes.spread(chosen),
    models,
    resume: resumeOf(await server.saved(job)),
    range: job.range,
    language: job.options.language ?? null,
    threads,
    signal,
    savePicture: (name, bytes, contentType) =>
      savePicture(access, job.resultPrefix, { name, bytes, contentType }, signal),
    onPart: (analyzer, part) => server.savePart(job, analyzer, part),
    onProgress(fraction) {
      bell.progress(job.jobId, fraction);
      // Nobody waits for it, and the next one makes good what this one could not say.
      server.progress(job, fraction).catch(() => {});
    },
  }).finally(() => {
    loading.models = lanes.takeLoading();
  });
  report.medium = mediumReport(analysis.medium);
  report.damages = analysis.damages;
  report.analyzers = analysis.analyzers.map(({ outcome, ...analyzer }) => ({ ...analyzer, ...outcome }));
}

/** Something failed only where nothing at all came of it: one analyzer's fault keeps the others' results. */
async function end(tools: Tools, job: ClaimedJob, report: RunReport): Promise<void> {
  const failed = report.analyzers.filter((analyzer) => analyzer.status === 'failed');
  if (failed.length > 0 && failed.length === report.analyzers.length) {
    const detail = failed.map((analyzer) => `${analyzer.name}: ${analyzer.reason}`).join(' ');
    await tools.server.fail(job, { code: 'analysis_failed', detail, retry: true, run: report });
    return;
  }
  const { kind, durationMs, width, height } = report.medium!;
  await tools.server.finish(job, report, { kind, durationMs, width, height });
}

/** The access that came with the claim, asked for again now and then. */
function renewing(job: ClaimedJob, server: Server): () => Promise<Access> {
  let current = job.access;
  let askedMs = performance.now();
  return async () => {
    if (performance.now() - askedMs > accessMs) {
      current = await server.access(job);
      askedMs = performance.now();
    }
    return current;
  };
}

function resumeOf(parts: SavedParts) {
  const byAnalyzer = Object.entries(Object.groupBy(parts, (part) => part.analyzer));
  return Object.fromEntries(
    byAnalyzer.map(([analyzer, saved = []]) => [
      analyzer,
      { fromMs: Math.max(...saved.map((part) => part.toMs)), saved: saved.flatMap((part) => part.rows) },
    ]),
  );
}

function mediumReport(medium: Medium): RunReport['medium'] {
  const { kind, container, durationMs, width, height, fps, rotation, streams, sizeBytes } = medium;
  return {
    kind,
    container,
    durationMs,
    width,
    height,
    fps,
    rotation,
    streams: streams.map(({ index: _, ...stream }) => stream),
    bitRate: durationMs > 0 ? Math.round((sizeBytes * 8000) / durationMs) : null,
    ...{ tags: medium.tags, exif: medium.exif, sha256: medium.sha256 },
  };
}

function failureOf(error: unknown): { code: string; detail: string; retry: boolean } {
  if (error instanceof MediaError) {
    return {
      code: error.code,
      detail: error.message,
      retry: error.code === 'media_unreachable' || error.code === 'media_changed',
    };
  }
  if (error instanceof ModelFetchError)
    return { code: 'models_unavailable', detail: error.message, retry: true };
  return { code: 'internal', detail: error instanceof Error ? error.message : String(error), retry: true };
}
