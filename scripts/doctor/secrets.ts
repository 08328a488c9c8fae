/** The secrets that the functions are given (stack.yml). Those of providers are asked for where each is opened. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { z } from 'zod';
import type { Config } from '../../functions/core/config.ts';
import { type Finding, fault, ok } from './finding.ts';

const stackFile = fileURLToPath(new URL('../../stack.yml', import.meta.url));
const Stack = z.object({
  functions: z.record(z.string(), z.object({ secrets: z.array(z.string()).default([]) })),
});

/** Of one provider each, or of what is only needed where machines are rented elsewhere. */
const optional = /-api-key$|^ssh-|^server-|^alert-/;

export function examineSecrets(config: Config): Finding[] {
  const { functions } = Stack.parse(parse(readFileSync(stackFile, 'utf8')));
  const names = new Set(Object.values(functions).flatMap(({ secrets }) => secrets));
  const missing = [...names].filter((name) => !optional.test(name) && !config.hasSecret(name));
  const folder = config.AIMA_SECRETS_DIR;
  if (missing.length === 0) return [ok('secrets', `all there, in ${folder}`)];
  return [
    fault(
      'secrets',
      `${missing.join(', ')} missing in ${folder}`,
      'Put them there; "npm start" makes its own.',
    ),
  ];
}

/** What takes every secret out of a line, whoever wrote it there. */
export function secretsMask(folder: string): (line: string) => string {
  const values = filesIn(folder)
    .flatMap((path) => readFileSync(path, 'utf8').trim().split('\n'))
    // Shorter ones are no secrets but names: `admin`, the owner's six letters.
    .filter((line) => line.length >= 12 && !line.startsWith('-----'));
  return (line) => values.reduce((masked, value) => masked.replaceAll(value, '***'), line);
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .map((name) => join(folder, name))
      .filter((path) => statSync(path).isFile());
  } catch {
    return [];
  }
}
