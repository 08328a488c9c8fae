/** The providers that are configured, by name. One line for each adapter there is. */
import type { Config } from '../config.ts';
import { openLocal } from './local.ts';
import type { Provider } from './provider.ts';

export type Providers = ReadonlyMap<string, Provider>;

const adapters: Record<string, (config: Config) => Provider> = {
  local: openLocal,
};

export const providerNames = Object.keys(adapters);

/** @throws Error that names a provider nobody wrote an adapter for, or what its configuration lacks. */
export function openProviders(config: Config): Providers {
  return new Map(
    config.AIMA_PROVIDERS.map((name) => {
      const open = adapters[name];
      if (!open)
        throw new Error(`AIMA_PROVIDERS: there is no provider ${name}; known: ${providerNames.join(', ')}.`);
      return [name, open(config)];
    }),
  );
}
