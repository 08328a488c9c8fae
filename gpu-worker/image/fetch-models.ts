/**
 * Fetches the models of a tier into AIMA_MODELS_DIR while an image is built, with the checks that a
 * worker makes. Those of the tier `packaged` never go into an image: the licence of some is unclear,
 * and whoever runs them fetches them.
 *
 *   node gpu-worker/image/fetch-models.ts small|large
 */
import { mkdirSync } from 'node:fs';
import { z } from 'zod';
import { ensureModels } from '../models/ensure-models.ts';
import { models } from '../models/manifest.ts';
import { modelsDir } from '../models/model-folder.ts';

const tier = z.enum(['small', 'large']).parse(process.argv[2]);
const ids = models.filter((model) => model.tier === tier).map(({ id }) => id);
const dir = modelsDir(process.env);
mkdirSync(dir, { recursive: true });
console.log(`tier ${tier}: ${ids.join(', ') || 'no models'}`);
await ensureModels(ids, { dir });
