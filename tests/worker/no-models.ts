import { leastMeans } from '../../gpu-worker/models/means.ts';
import type { ModelStore } from '../../gpu-worker/models/store.ts';

const none = (id: string): never => {
  throw new Error(`no model was to be asked for, but ${id} was`);
};

/** The store of analyzers that need no model. */
export const noModels: ModelStore = {
  means: leastMeans,
  folder: none,
  session: none,
  device: none,
  describe: none,
};
