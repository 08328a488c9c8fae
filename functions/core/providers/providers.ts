/** The providers that are configured, by name. */
import type { Config } from '../config.ts';
import { labelPrefix } from '../instances/label.ts';
import { openLocal } from './local.ts';
import type { Provider } from './provider.ts';

export type Providers = ReadonlyMap<string, Provider>;

const adapters: Record<string, (config: Config) => Provider> = {
  local: (config) =>
    openLocal({
      dataDir: config.AIMA_DATA_DIR,
      modelsDir: config.AIMA_MODELS_DIR,
      slots: config.AIMA_LOCAL_SLOTS,
      labelPrefix: labelPrefix(config.secret('owner-id')),
    }),
};

/** @throws Error that names a provider nobody wrote an adapter for. */
export function openProviders(config: Config): Providers {
  return new Map(
    config.AIMA_PROVIDERS.map((name) => {
      const open = adapters[name];
      if (!open)
        throw new Error(
          `AIMA_PROVIDERS: there is no provider ${name}; known: ${Object.keys(adapters).join(', ')}.`,
        );
      return [name, open(config)];
    }),
  );
}
