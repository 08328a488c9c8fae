/** What every measure works with: the real pipeline, a folder for its media, and where Debian's are. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ResultRow } from '../../functions/core/results/rows.ts';
import { modelsOf } from '../../gpu-worker/analyzers/analyzer.ts';
import { analyzers } from '../../gpu-worker/analyzers/index.ts';
import { ensureModels } from '../../gpu-worker/models/ensure-models.ts';
import type { Means } from '../../gpu-worker/models/means.ts';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import { openModelStore } from '../../gpu-worker/models/open-store.ts';
import { type AnalyzerReport, analyzeMedium } from '../../gpu-worker/pipeline.ts';

export interface KitAnalysis {
  rows: ResultRow[];
  outcome: AnalyzerReport['outcome'];
  wallMs: number;
  /** With their versions. */
  models: string[];
}

export interface Kit {
  /** For media made on the way; gone at the end. */
  folder: string;
  /** The root below which files of Debian packages lie: `/`, or where they were unpacked. */
  debianRoot: string;
  means: Means;
  /** One analyzer over one file. Throws where the analysis failed. */
  analyze(analyzer: string, file: string, language?: string): Promise<KitAnalysis>;
  /** Says why something is not measured. */
  skip(sentence: string): void;
  close(): Promise<void>;
}

export async function openKit(options: {
  means: Means;
  threads: number;
  debianRoot: string;
  skip(sentence: string): void;
}): Promise<Kit> {
  const { means, threads, debianRoot, skip } = options;
  const dir = modelsDir(process.env);
  const store = openModelStore({ dir, threads, means });
  const folder = await mkdtemp(path.join(tmpdir(), 'aima-quality-'));

  async function analyze(name: string, file: string, language?: string): Promise<KitAnalysis> {
    const analyzer = analyzers.find((candidate) => candidate.name === name);
    if (!analyzer) throw new Error(`there is no analyzer ${name}`);
    await ensureModels(modelsOf(analyzer, means), { dir });
    const rows: ResultRow[] = [];
    const analysis = await analyzeMedium({
      source: { path: file },
      analyzers: [analyzer],
      models: store,
      language: language ?? null,
      threads,
      signal: new AbortController().signal,
      savePicture: async (picture) => picture,
      async onPart(_, part) {
        rows.push(...part.rows);
      },
    });
    const [report] = analysis.analyzers;
    const { outcome, wallMs, models } = report!;
    if (outcome.status === 'failed' || outcome.status === 'skipped')
      throw new Error(`${name}: ${outcome.reason}`);
    return { rows, outcome, wallMs, models: models.map((model) => `${model.id} ${model.version}`) };
  }

  return {
    ...{ folder, debianRoot, means, analyze, skip },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
