import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { type ConnectedFunction, connectedFunctionSchema } from './functions.ts';

/*
 * The functions that have a session at the broker, on disk: a function that is removed while the connector is
 * down leaves a session behind that would queue events for ever, and only this list tells of it.
 */

const fileSchema = z.array(connectedFunctionSchema);

/** An absent or damaged file is an empty list: the gateway is the source, this only remembers. */
export async function loadKnownFunctions(path: string): Promise<ConnectedFunction[]> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return [];
  }
}

export async function saveKnownFunctions(path: string, functions: ConnectedFunction[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, `${JSON.stringify(functions, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
