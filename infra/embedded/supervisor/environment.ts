/** The environment that the services of the embedded system share. */

import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { type Tier, tiers } from '../../../gpu-worker/models/manifest.ts';
import { modelsDir } from '../../../gpu-worker/models/model-folder.ts';
import type { Ports } from '../ports.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Adds to `env` all addresses and folders that follow from the data folder and the ports. Region,
 * bucket and models may be given; addresses are always those of the system itself.
 *
 * @throws Error where there is no such tier of models.
 */
export function serviceEnvironment(env: Environment, dataDir: string, ports: Ports) {
  const publicHost = env.AIMA_PUBLIC_HOST;
  const portVariables = Object.entries(ports).map(([name, port]) => [name, String(port)]);
  return {
    ...env,
    ...(Object.fromEntries(portVariables) as Record<keyof Ports, string>),
    AIMA_DATA_DIR: dataDir,
    AIMA_SECRETS_DIR: join(dataDir, 'secrets'),
    AIMA_MODELS_DIR: modelsDir(env),
    AIMA_MODEL_TIER: modelTier(env),
    AIMA_GATEWAY_URL: `http://127.0.0.1:${ports.AIMA_GATEWAY_PORT}`,
    AIMA_MQTT_URL: `mqtt://127.0.0.1:${ports.AIMA_MQTT_PORT}`,
    AIMA_DATABASE_URL: `postgres://aima_functions@127.0.0.1:${ports.AIMA_POSTGRES_PORT}/aima`,
    AIMA_S3_ENDPOINT: `http://127.0.0.1:${ports.AIMA_S3_PORT}`,
    // Browsers are on this machine, where the gateway listens; rented workers are not.
    ...(publicHost && {
      AIMA_PUBLIC_HOST: publicHost,
      AIMA_PUBLIC_POSTGRES_PORT: String(ports.AIMA_POSTGRES_PORT),
      AIMA_S3_WORKER_ENDPOINT: `https://${isIPv6(publicHost) ? `[${publicHost}]` : publicHost}:${ports.AIMA_PUBLIC_S3_PORT}`,
    }),
    AIMA_S3_REGION: env.AIMA_S3_REGION || 'us-east-1',
    AIMA_S3_BUCKET: env.AIMA_S3_BUCKET || 'media',
  };
}

export type ServiceEnvironment = ReturnType<typeof serviceEnvironment>;

function modelTier({ AIMA_MODEL_TIER: asked }: Environment): Tier {
  const tier = asked ? tiers.find((one) => one === asked) : 'packaged';
  if (!tier) throw new Error(`AIMA_MODEL_TIER is ${asked}, and must be one of ${tiers.join(', ')}`);
  return tier;
}
