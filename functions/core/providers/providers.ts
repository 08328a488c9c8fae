/** The providers that are configured, by name. One line for each adapter there is. */
import type { Config } from '../config.ts';
import { whyUnreachable } from '../public-address.ts';
import { openLocal } from './local.ts';
import { type Provider, ProviderError } from './provider.ts';
import { openRunpodPods } from './runpod-pods.ts';
import { openRunpodServerless } from './runpod-serverless.ts';
import { openSalad } from './salad.ts';
import { openShadeform } from './shadeform.ts';
import { openSsh } from './ssh.ts';
import { openVast } from './vast.ts';

export type Providers = ReadonlyMap<string, Provider>;

const adapters: Record<string, (config: Config) => Provider> = {
  local: openLocal,
  'runpod-pods': openRunpodPods,
  'runpod-serverless': openRunpodServerless,
  salad: openSalad,
  shadeform: openShadeform,
  ssh: openSsh,
  vast: openVast,
};

export const providerNames = Object.keys(adapters);

/** @throws Error that names a provider nobody wrote an adapter for, or what its configuration lacks. */
export function openProviders(config: Config): Providers {
  const why = whyUnreachable(config);
  return new Map(
    config.AIMA_PROVIDERS.map((name) => {
      const provider = openProvider(name, config);
      return [name, why !== null && provider.isRemote ? withoutRenting(provider, why) : provider];
    }),
  );
}

/**
 * One provider, whether it is configured to be rented from or not: to look at it, and to end what is there.
 * @throws Error that says that there is none such, or what its configuration lacks.
 */
export function openProvider(name: string, config: Config): Provider {
  const open = adapters[name];
  if (!open)
    throw new Error(`AIMA_PROVIDERS: there is no provider ${name}; known: ${providerNames.join(', ')}.`);
  return open(config);
}

/** What it rented before can still be seen and ended. */
function withoutRenting(provider: Provider, why: string): Provider {
  return {
    ...provider,
    async offers() {
      throw new ProviderError('refused', why);
    },
    create: async () => ({ kind: 'refused', why: 'invalid', detail: why }),
  };
}
