/** One report of a run from those of the pieces: the times add up, since each was paid for. */
import type { AnalyzerRun, RunReport } from '../run.ts';

/** What an analysis of several pieces ended with: the first of these that one of them ended with. */
const byWeight: AnalyzerRun['status'][] = [
  'failed',
  'ok',
  'unsupported_language',
  'nothing_found',
  'skipped',
];

/** null where no piece has a report. */
export function mergeRuns(runs: readonly RunReport[]): RunReport | null {
  const [first] = runs;
  if (!first) return null;
  const each = (one: (run: RunReport) => string) => [...new Set(runs.map(one))].toSorted();
  const transfers = runs.flatMap((run) => run.transferMs ?? []);
  const loadings = runs.flatMap((run) => run.loading ?? []);
  return {
    startedAt: each((run) => run.startedAt)[0]!,
    wallMs: sum(runs.map((run) => run.wallMs)),
    ...(transfers.length > 0 ? { transferMs: sum(transfers) } : {}),
    device: each((run) => run.device).join(', '),
    worker: each((run) => run.worker).join(', '),
    medium: runs.find((run) => run.medium !== null)?.medium ?? null,
    damages: [...new Set(runs.flatMap((run) => run.damages))],
    ...(loadings.length > 0
      ? {
          loading: {
            fetchMs: sum(loadings.map(({ fetchMs }) => fetchMs)),
            models: loadings.flatMap(({ models }) => models),
          },
        }
      : {}),
    analyzers: [
      ...Map.groupBy(
        runs.flatMap((run) => run.analyzers),
        (one) => one.name,
      ).values(),
    ].map(mergeAnalyzer),
  };
}

function mergeAnalyzer(runs: AnalyzerRun[]): AnalyzerRun {
  const weightOf = (one: AnalyzerRun) => byWeight.indexOf(one.status);
  const decisive = runs.toSorted((a, b) => weightOf(a) - weightOf(b))[0]!;
  const models = new Map(
    runs.flatMap((run) => run.models).map((model) => [`${model.id} ${model.sha256}`, model]),
  );
  return {
    ...decisive,
    wallMs: sum(runs.map((run) => run.wallMs)),
    models: [...models.values()],
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
