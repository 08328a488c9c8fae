/** What `npm run build` makes, into any folder: tests and benches build into their own. */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleFunction } from './functions.ts';
import { bundleServices } from './services.ts';
import type { BundleSize } from './size.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));

export interface Built {
  /** Of each function all that its image gets of ours; of each service the file that is started. */
  functions: BundleSize[];
  services: BundleSize[];
}

/**
 * @param dist is emptied first.
 * @throws Error of esbuild where something cannot be bundled.
 */
export async function build(dist: string): Promise<Built> {
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  const { version } = JSON.parse(await readFile(path.join(project, 'package.json'), 'utf8'));
  const stack = await readFile(path.join(project, 'stack.yml'), 'utf8');
  const names = [...stack.matchAll(/^ {4}handler: .*\/([a-z-]+)$/gm)].map(([, name]) => name!);

  const functions = await Promise.all(
    names.map((name) => bundleFunction(name, path.join(dist, 'functions', name), version)),
  );
  const services = await bundleServices(names, path.join(dist, 'services'));
  await writeFile(path.join(dist, 'package.json'), JSON.stringify({ version, private: true }));
  // Beside the functions, not above them.
  await writeFile(path.join(dist, 'stack.yml'), stack.replaceAll(':-./dist/functions}', ':-./functions}'));
  await cp(path.join(project, 'infra/postgres/migrations'), path.join(dist, 'services/migrations'), {
    recursive: true,
  });
  return { functions, services };
}
