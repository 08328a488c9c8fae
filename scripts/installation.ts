/**
 * The installation that a command on this machine is about: the embedded system's, where there is a
 * data folder, else what the environment says, as on a server whose functions run under faasd.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Config, loadConfig } from '../functions/core/config.ts';
import type { Provider } from '../functions/core/providers/provider.ts';
import { openProvider, providerNames } from '../functions/core/providers/providers.ts';
import { configuredPorts } from '../infra/embedded/ports.ts';
import { type Environment, serviceEnvironment } from '../infra/embedded/supervisor/environment.ts';

/** @throws Error that names every setting at fault. */
export function installationConfig(env: Environment): Config {
  const dataDir = resolve(env.AIMA_DATA_DIR || 'data');
  if (env.AIMA_SECRETS_DIR || !existsSync(join(dataDir, 'secrets'))) return loadConfig(env);
  // What is said expressly counts: the embedded system may have taken other ports than it was told.
  return loadConfig({
    ...serviceEnvironment(env, dataDir, configuredPorts(env)),
    ...set(env),
    AIMA_DATA_DIR: dataDir,
  });
}

function set(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value));
}

export interface OpenedProvider {
  name: string;
  /** It is among AIMA_PROVIDERS. */
  isConfigured: boolean;
  /** Null with the reason where it cannot be opened. */
  provider: Provider | null;
  fault: string | null;
}

/**
 * The providers that are configured and those that could be, because their keys are there: machines
 * may run where nothing is rented any more.
 */
export function openEveryProvider(config: Config): OpenedProvider[] {
  const names = new Set([...config.AIMA_PROVIDERS, ...providerNames]);
  return [...names].flatMap((name): OpenedProvider[] => {
    const isConfigured = config.AIMA_PROVIDERS.includes(name);
    try {
      return [{ name, isConfigured, provider: openProvider(name, config), fault: null }];
    } catch (error) {
      return isConfigured ? [{ name, isConfigured, provider: null, fault: (error as Error).message }] : [];
    }
  });
}
