/**
 * Decides which analyses of a new job are taken over from earlier jobs of the same content. Pure.
 *
 * An analysis is taken over where it is what would come out now: by the analyzer and the models that ran
 * last on any machine, with the same options. Where that is not known nothing is taken over.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AnalyzerRun, RunReport } from '../results/run.ts';
import type { JobOptions } from './request.ts';

export interface EarlierJob {
  jobId: string;
  options: JobOptions;
  medium: NonNullable<RunReport['medium']>;
  damages: string[];
  /** With what it took over itself. */
  runs: AnalyzerRun[];
}

export interface Reuse {
  run: AnalyzerRun;
  from: EarlierJob;
}

/**
 * @param earlier newest first.
 * @param latest of each analysis the last run that ended well.
 */
export function planReuse(
  wanted: { analyses: readonly string[]; options: JobOptions },
  earlier: readonly EarlierJob[],
  latest: ReadonlyMap<string, AnalyzerRun>,
): Reuse[] {
  const fitting = earlier.filter((job) => isDeepStrictEqual(job.options, wanted.options));
  return wanted.analyses.flatMap((name): Reuse[] => {
    const current = latest.get(name);
    if (!current) return [];
    for (const from of fitting) {
      const run = from.runs.find((one) => one.name === name);
      if (run && endedWell(run) && isSame(run, current)) return [{ run, from }];
    }
    return [];
  });
}

/** Nothing failed: what there is to find was found, or there was nothing to look at (a film without sound). */
export function endedWell({ status }: AnalyzerRun): boolean {
  return status === 'ok' || status === 'nothing_found' || status === 'skipped';
}

function isSame(run: AnalyzerRun, current: AnalyzerRun): boolean {
  // What was skipped opened no models, and would be skipped again.
  if (run.version !== current.version) return false;
  return run.status === 'skipped' || isDeepStrictEqual(digests(run), digests(current));
}

function digests({ models }: AnalyzerRun): string[] {
  return models.map(({ id, sha256 }) => `${id} ${sha256}`).toSorted();
}
