/**
 * Fetches the models that a worker of a tier takes into AIMA_MODELS_DIR while an image is built, with the
 * checks that a worker makes: a rented machine then fetches none of them. Models whose licence is
 * unclear never go into an image; whoever runs them fetches them. It imports no analyzer, so that the
 * layer of the models stays the same when one changes.
 *
 *   node gpu-worker/image/fetch-models.ts small|large
 */
import { mkdirSync } from 'node:fs';
import { z } from 'zod';
import { ensureModels } from '../models/ensure-models.ts';
import { unclearLicence } from '../models/licence.ts';
import { models } from '../models/manifest.ts';
import { modelsDir } from '../models/model-folder.ts';
import { speechModels } from '../models/speech-whisper.ts';

const tier = z.enum(['small', 'large']).parse(process.argv[2]);
const ids = models
  .filter((model) => model.tier === tier || model.tier === 'packaged')
  .filter(({ id, weightsLicence }) => weightsLicence !== unclearLicence && id !== speechModels.packaged)
  .map(({ id }) => id);
const dir = modelsDir(process.env);
mkdirSync(dir, { recursive: true });
console.log(`tier ${tier}: ${ids.join(', ')}`);
await ensureModels(ids, { dir });
