/** infra/compose/docker-compose.yaml as compose reads it: variables filled in, anchors resolved. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';

export const composeDir = fileURLToPath(new URL('../../infra/compose', import.meta.url));

const Condition = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);

const Service = z.object({
  image: z.string(),
  user: z.string(),
  restart: z.string(),
  read_only: z.boolean(),
  cap_drop: z.array(z.string()),
  cap_add: z.array(z.string()).default([]),
  security_opt: z.array(z.string()),
  network_mode: z.string().optional(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()),
  environment: z.record(z.string(), z.string()).default({}),
  env_file: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: Condition })).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  tmpfs: z.array(z.string()).default([]),
  mem_limit: z.string(),
  healthcheck: z.object({ test: z.array(z.string()).optional(), disable: z.boolean().optional() }).optional(),
});

export type ComposeService = z.output<typeof Service>;
export type ComposeFile = z.output<typeof ComposeFile>;

const ComposeFile = z.object({
  services: z.record(z.string(), Service),
  volumes: z.record(z.string(), z.null()),
});

/** The variables of .env.example. */
export function exampleEnvironment(): Record<string, string> {
  const text = readFileSync(path.join(composeDir, '.env.example'), 'utf8');
  return Object.fromEntries([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]));
}

export const composeText = (): string => readFileSync(path.join(composeDir, 'docker-compose.yaml'), 'utf8');

/** @throws Error where a variable that must be set is not, ZodError where the file has another shape than ours. */
export function readComposeFile(environment: Readonly<Record<string, string>>): ComposeFile {
  const text = composeText().replace(
    /\$\{(\w+)(?::([-?])([^}]*))?\}/g,
    (_, name: string, kind: string | undefined, word = '') => {
      const value = environment[name];
      if (value) return value;
      if (kind === '?') throw new Error(`${name}: ${word}`);
      return word;
    },
  );
  return ComposeFile.parse(parse(text, { merge: true }));
}
