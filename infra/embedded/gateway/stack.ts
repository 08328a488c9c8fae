/** Reads stack.yml, the description of the functions that faas-cli deploys from too. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

/** YAML reads `true` and `10` as other things than strings; faas-cli takes them as their text. */
const Text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const Texts = z.record(z.string(), Text).default({});
const Resources = z.object({ memory: Text.optional(), cpu: Text.optional() });

/** The keys that mean something here; what else faas-cli knows is passed over. */
const StackFunction = z.object({
  handler: z.string(),
  image: z.string(),
  environment: Texts,
  secrets: z.array(z.string()).default([]),
  labels: Texts,
  annotations: Texts,
  limits: Resources.optional(),
});

const StackFile = z.object({
  provider: z.object({ name: z.literal('openfaas') }),
  functions: z.record(z.string().regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/), StackFunction),
});

export interface StackFunction extends z.infer<typeof StackFunction> {
  name: string;
  /** Absolute path of the module that exports the handler. */
  modulePath: string;
  /** After which a call is answered with 504. */
  execTimeoutMs: number;
}

/** What the node22 template's image sets where stack.yml says nothing. */
const DEFAULT_EXEC_TIMEOUT = '10s';

/**
 * Reads the functions of a stack file.
 *
 * @param environment values for `${NAME}` and `${NAME:-default}` in the file
 * @throws Error that names the file and what is wrong with it.
 */
export async function readStack(
  file: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<StackFunction[]> {
  const text = substitute(await readFile(file, 'utf8'), environment);
  const parsed = StackFile.safeParse(parse(text, { merge: true }));
  if (!parsed.success) throw new Error(`${file} is not a stack file:\n${z.prettifyError(parsed.error)}`);
  return Object.entries(parsed.data.functions).map(([name, definition]) => ({
    ...definition,
    name,
    modulePath: moduleIn(path.resolve(path.dirname(file), definition.handler)),
    execTimeoutMs: durationMs(definition.environment.exec_timeout ?? DEFAULT_EXEC_TIMEOUT),
  }));
}

/** Built functions are looked for first: a folder has either. */
function moduleIn(folder: string): string {
  const built = path.join(folder, 'handler.mjs');
  return existsSync(built) ? built : path.join(folder, 'handler.ts');
}

/** As faas-cli does it: in the text, before it is YAML; an unset name without default gives nothing. */
function substitute(text: string, environment: Readonly<Record<string, string | undefined>>): string {
  return text.replace(/\$\{([A-Za-z_]\w*)(?::?-([^}]*))?\}/g, (_, name: string, fallback = '') =>
    environment[name] ? environment[name] : fallback,
  );
}

const UNIT_MS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A duration as Go writes it: 500ms, 10s, 1m30s. */
function durationMs(text: string): number {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) throw new Error(`${text} is not a duration such as 10s`);
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0);
}
