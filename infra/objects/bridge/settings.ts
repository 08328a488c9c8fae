import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { BrokerLogin } from './publisher.ts';

const common = z.object({
  AIMA_MQTT_URL: z.url({ protocol: /^(mqtts?|wss?)$/ }).default('mqtt://127.0.0.1:1883'),
  AIMA_S3_BUCKET: z.string().min(1).default('media'),
  AIMA_S3_REGION: z.string().min(1).default('us-east-1'),
  AIMA_SECRETS_DIR: z.string().min(1),
});

const environment = z.discriminatedUnion('AIMA_BRIDGE', [
  common.extend({
    AIMA_BRIDGE: z.literal('webhook'),
    AIMA_BRIDGE_HOST: z.string().min(1).default('127.0.0.1'),
    AIMA_BRIDGE_PORT: z.coerce.number().int().min(0).max(65_535).default(9010),
  }),
  common.extend({
    AIMA_BRIDGE: z.literal('watch'),
    AIMA_BRIDGE_SECONDS: z.coerce.number().min(1).max(3600).default(10),
  }),
]);

export type Settings = { mqtt: BrokerLogin } & (
  | { mode: 'webhook'; host: string; port: number; token: string; bucket: string }
  | { mode: 'watch'; everySeconds: number; region: string }
);

/** @throws Error with a sentence for the operator where a variable or a secret is missing or wrong */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  // An empty value is an unset one, as everywhere.
  const parsed = environment.safeParse(Object.fromEntries(Object.entries(env).filter(([, value]) => value)));
  if (!parsed.success) throw new Error(`the environment is wrong:\n${z.prettifyError(parsed.error)}`);
  const settings = parsed.data;
  const secret = (name: string): string => {
    const value = readFileSync(join(settings.AIMA_SECRETS_DIR, name), 'utf8').trim();
    if (value === '') throw new Error(`the secret ${name} is empty`);
    return value;
  };
  const mqtt = {
    url: settings.AIMA_MQTT_URL,
    username: 'objects',
    password: secret('mqtt-objects-password'),
  };
  if (settings.AIMA_BRIDGE === 'watch') {
    return {
      mode: 'watch',
      mqtt,
      everySeconds: settings.AIMA_BRIDGE_SECONDS,
      region: settings.AIMA_S3_REGION,
    };
  }
  return {
    mode: 'webhook',
    mqtt,
    host: settings.AIMA_BRIDGE_HOST,
    port: settings.AIMA_BRIDGE_PORT,
    token: secret('bridge-token'),
    bucket: settings.AIMA_S3_BUCKET,
  };
}
