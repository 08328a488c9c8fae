import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readCertificate } from '../../certificate/certificate.ts';
import type { S3ServerOptions } from './server.ts';

/** Settings of the process: not secret ones from the environment, secret ones from a file each. */

const portNumber = z.coerce.number().int().min(0).max(65_535);

const environment = z.object({
  AIMA_DATA_DIR: z.string().min(1).default('./data'),
  AIMA_SECRETS_DIR: z.string().min(1).optional(),
  AIMA_S3_HOST: z.string().min(1).default('127.0.0.1'),
  AIMA_S3_PORT: portNumber.default(9000),
  AIMA_S3_REGION: z.string().min(1).default('us-east-1'),
  AIMA_S3_BUCKET: z.string().min(1).default('media'),
  /** With it: a port on all addresses, over TLS. */
  AIMA_PUBLIC_HOST: z.string().optional(),
  AIMA_PUBLIC_S3_PORT: portNumber.default(9443),
  AIMA_MQTT_URL: z.url({ protocol: /^(mqtts?|wss?)$/ }).default('mqtt://127.0.0.1:1883'),
});

/** The only prefix that people's own S3 clients may use. */
const INBOX_PREFIX = 'inbox/';
const EVENT_TOPIC = 'aima/media/uploaded';

/** @throws with a sentence for the operator when a setting or a secret is missing or wrong */
export async function readConfig(env: NodeJS.ProcessEnv): Promise<S3ServerOptions> {
  const parsed = environment.safeParse(env);
  if (!parsed.success) throw new Error(`wrong environment:\n${z.prettifyError(parsed.error)}`);
  const settings = parsed.data;
  const secretsFolder = settings.AIMA_SECRETS_DIR ?? join(settings.AIMA_DATA_DIR, 'secrets');
  const secret = async (name: string): Promise<string> => {
    const text = (await readFile(join(secretsFolder, name), 'utf8')).trim();
    if (text === '') throw new Error(`the secret ${name} in ${secretsFolder} is empty`);
    return text;
  };
  return {
    host: settings.AIMA_S3_HOST,
    port: settings.AIMA_S3_PORT,
    ...(settings.AIMA_PUBLIC_HOST && {
      outside: { port: settings.AIMA_PUBLIC_S3_PORT, ...(await readCertificate(secretsFolder)) },
    }),
    folder: join(settings.AIMA_DATA_DIR, 'objects'),
    region: settings.AIMA_S3_REGION,
    credentials: [
      { accessKey: await secret('s3-access-key'), secretKey: await secret('s3-secret-key') },
      {
        accessKey: await secret('s3-inbox-access-key'),
        secretKey: await secret('s3-inbox-secret-key'),
        scope: {
          bucket: settings.AIMA_S3_BUCKET,
          prefixes: [INBOX_PREFIX],
          rights: ['read', 'write', 'list', 'delete'],
        },
      },
    ],
    events: {
      url: settings.AIMA_MQTT_URL,
      username: 'objects',
      password: await secret('mqtt-objects-password'),
      topic: EVENT_TOPIC,
    },
  };
}
