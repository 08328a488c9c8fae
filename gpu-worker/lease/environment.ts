/** What a worker is told at its birth: addresses and the credentials of its own lease. */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { idPattern } from '../../functions/core/ids.ts';
import { type DeviceKind, type Tier, tiers } from '../models/manifest.ts';
import { modelsDir } from '../models/model-folder.ts';

const Environment = z.object({
  AIMA_INSTANCE_ID: z.string().regex(idPattern),
  /** With the login of this lease in it. */
  AIMA_DATABASE_URL: z.url(),
  AIMA_MQTT_URL: z.url(),
  /** PEM in base64: the one certificate that Postgres and the broker may show; none: no TLS, on the same machine. */
  AIMA_SERVER_CERTIFICATE: z.base64().optional(),
  AIMA_DEVICE: z.enum(['cpu', 'cuda']).default('cpu'),
  /** Which models analyzers take where there are several; the container images set it. */
  AIMA_MODEL_TIER: z.enum(tiers).default('packaged'),
  /** The adapter's name, and the machine's as its provider gives it to the container. */
  AIMA_PROVIDER: z.string().default('local'),
  AIMA_PROVIDER_INSTANCE_ID: z.string().optional(),
  RUNPOD_POD_ID: z.string().optional(),
  CONTAINER_ID: z.string().optional(),
  /** With nothing assigned for so long, the worker leaves by itself, whoever forgot it. */
  AIMA_IDLE_SECONDS: z.coerce.number().positive().default(120),
  AIMA_THREADS: z.coerce.number().int().positive().default(availableParallelism()),
});

export interface WorkerEnvironment {
  instanceId: string;
  databaseUrl: string;
  mqttUrl: string;
  serverCertificate: string | undefined;
  device: DeviceKind;
  tier: Tier;
  provider: string;
  providerInstanceId: string | null;
  idleMs: number;
  threads: number;
  modelsDir: string;
}

/** @throws ZodError that names what is missing. */
export function readEnvironment(env: Record<string, string | undefined>): WorkerEnvironment {
  const values = Environment.parse(env);
  return {
    instanceId: values.AIMA_INSTANCE_ID,
    databaseUrl: values.AIMA_DATABASE_URL,
    mqttUrl: values.AIMA_MQTT_URL,
    serverCertificate:
      values.AIMA_SERVER_CERTIFICATE && Buffer.from(values.AIMA_SERVER_CERTIFICATE, 'base64').toString(),
    device: values.AIMA_DEVICE,
    tier: values.AIMA_MODEL_TIER,
    provider: values.AIMA_PROVIDER,
    providerInstanceId:
      values.AIMA_PROVIDER_INSTANCE_ID ?? values.RUNPOD_POD_ID ?? values.CONTAINER_ID ?? null,
    idleMs: values.AIMA_IDLE_SECONDS * 1000,
    threads: values.AIMA_THREADS,
    modelsDir: modelsDir(env),
  };
}
