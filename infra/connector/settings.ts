import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { GatewayOptions } from './gateway.ts';
import type { RunnerOptions } from './runner.ts';

const environmentSchema = z.object({
  AIMA_DATA_DIR: z.string().min(1).default('./data'),
  AIMA_SECRETS_DIR: z.string().min(1).optional(),
  AIMA_GATEWAY_URL: z.url({ protocol: /^https?$/ }).default('http://127.0.0.1:8080'),
  AIMA_MQTT_URL: z.url({ protocol: /^(mqtts?|wss?)$/ }).default('mqtt://127.0.0.1:1883'),
});

export interface ConnectorSettings {
  gateway: GatewayOptions;
  mqtt: RunnerOptions['mqtt'];
  dataDir: string;
}

/**
 * Reads the connector's settings from AIMA_DATA_DIR, AIMA_SECRETS_DIR, AIMA_GATEWAY_URL, AIMA_MQTT_URL and the
 * secrets basic-auth-user, basic-auth-password, connector-token and mqtt-connector-password.
 *
 * @throws ZodError or Error when a variable is malformed or a secret is missing
 */
export function readSettings(environment: NodeJS.ProcessEnv): ConnectorSettings {
  const variables = environmentSchema.parse(environment);
  const dataDir = resolve(variables.AIMA_DATA_DIR);
  const secretsDir = resolve(variables.AIMA_SECRETS_DIR ?? join(dataDir, 'secrets'));
  const secret = (name: string): string => {
    const value = readFileSync(join(secretsDir, name), 'utf8').trim();
    if (value === '') throw new Error(`the secret ${name} is empty`);
    return value;
  };
  return {
    gateway: {
      url: variables.AIMA_GATEWAY_URL,
      basicAuthUser: secret('basic-auth-user'),
      basicAuthPassword: secret('basic-auth-password'),
      connectorToken: secret('connector-token'),
    },
    mqtt: {
      url: variables.AIMA_MQTT_URL,
      username: 'connector',
      password: secret('mqtt-connector-password'),
    },
    dataDir: join(dataDir, 'connector'),
  };
}
