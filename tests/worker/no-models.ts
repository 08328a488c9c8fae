import type { ModelStore } from '../../gpu-worker/models/store.ts';

const none = (id: string): never => {
  throw new Error(`no model was to be asked for, but ${id} was`);
};

/** The store of analyzers that need no model. */
export const noModels: ModelStore = { folder: none, session: none, describe: none };
