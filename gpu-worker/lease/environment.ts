/** What a worker is told at its birth: addresses and the credentials of its own lease. */
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { idPattern } from '../../functions/core/ids.ts';
import { modelsDir } from '../models/model-folder.ts';

const Environment = z.object({
  AIMA_INSTANCE_ID: z.string().regex(idPattern),
  /** With the login of this lease in it. */
  AIMA_DATABASE_URL: z.url(),
  AIMA_MQTT_URL: z.url(),
  AIMA_LOST_CONTACT_SECONDS: z.coerce.number().positive().default(45),
  /** With nothing assigned for so long, the worker leaves by itself, whoever forgot it. */
  AIMA_IDLE_SECONDS: z.coerce.number().positive().default(120),
  AIMA_THREADS: z.coerce.number().int().positive().default(availableParallelism()),
});

export interface WorkerEnvironment {
  instanceId: string;
  databaseUrl: string;
  mqttUrl: string;
  lostContactMs: number;
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
    lostContactMs: values.AIMA_LOST_CONTACT_SECONDS * 1000,
    idleMs: values.AIMA_IDLE_SECONDS * 1000,
    threads: values.AIMA_THREADS,
    modelsDir: modelsDir(env),
  };
}
