/** What this worker may use, and all models that its analyzers take then. */
import { existsSync } from 'node:fs';
import { findModel, needsPip, type Tier } from '../models/manifest.ts';
import type { Means } from '../models/means.ts';
import { modelFolder } from '../models/model-folder.ts';
import { hasPip } from '../models/pip.ts';
import { modelsOf } from './analyzer.ts';
import { analyzers } from './index.ts';

/** @param modelsDir where models lie: what is there already needs no pip. */
export async function findMeans(tier: Tier, modelsDir: string): Promise<Means> {
  const isHere = modelsOfAll({ tier, hasPip: true })
    .map(findModel)
    .filter(needsPip)
    .every((model) => existsSync(modelFolder(modelsDir, model)));
  return { tier, hasPip: isHere || (await hasPip()) };
}

/** Ids, each once. */
export function modelsOfAll(means: Means): string[] {
  return [...new Set(analyzers.flatMap((analyzer) => modelsOf(analyzer, means)))];
}
