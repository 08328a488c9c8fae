/** What `npm run build` makes, in a folder of this test file. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from '../../scripts/build/build.ts';

export interface Dist {
  dir: string;
  /** An always-on program or set-up step. */
  service(name: string): string;
  /** The build context of a function. */
  functionDir(name: string): string;
  remove(): Promise<void>;
}

export async function buildDist(): Promise<Dist> {
  const parent = await mkdtemp(join(tmpdir(), 'aima-dist-'));
  // Programs that are not root's read from it.
  await chmod(parent, 0o755);
  const dir = join(parent, 'dist');
  await build(dir);
  return {
    dir,
    service: (name) => join(dir, 'services', `${name}.mjs`),
    functionDir: (name) => join(dir, 'functions', name),
    remove: () => rm(parent, { recursive: true, force: true }),
  };
}
