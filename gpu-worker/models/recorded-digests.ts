/**
 * Digests of files that were made on this machine out of a source whose digest is pinned: nobody
 * could say beforehand what they will be. They are written down beside the files, as `sha256sum`
 * does, so that later damage is noticed; who can change files in the models folder can change them too.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sha256Of } from './digest.ts';

const NAME = 'SHA256SUMS';

export async function recordDigests(folder: string, names: readonly string[]): Promise<void> {
  const lines: string[] = [];
  for (const name of names) lines.push(`${await sha256Of(path.join(folder, name))}  ${name}\n`);
  await writeFile(path.join(folder, NAME), lines.join(''));
}

/** By file name. Rejects with the error of the file system where nothing was recorded. */
export async function recordedDigests(folder: string): Promise<Map<string, string>> {
  const list = await readFile(path.join(folder, NAME), 'utf8');
  return new Map(
    [...list.matchAll(/^([0-9a-f]{64}) {2}(.+)$/gm)].map(([, sha256, name]) => [name!, sha256!]),
  );
}
