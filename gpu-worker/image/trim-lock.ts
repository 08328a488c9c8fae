/**
 * Writes a package.json and a package-lock.json with only what the worker imports (packages.json, which
 * a test holds against its imports) and what that needs in turn, each with the version and digest of
 * this repository's lockfile: the image then holds 500 MB less than with all packages.
 *
 *   node gpu-worker/image/trim-lock.ts TO        writes TO/package.json and TO/package-lock.json
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Locked {
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

interface Lockfile {
  packages: Record<string, Locked>;
}

const root = join(import.meta.dirname, '../..');
const read = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8'));
const to = process.argv[2];
if (!to) throw new Error('trim-lock.ts TO');

const { name, version, type, dependencies } = read('package.json');
const lock: Lockfile = read('package-lock.json');
const wanted: string[] = read('gpu-worker/image/packages.json');
const chosen = Object.fromEntries(wanted.map((one) => [one, dependencies[one]]));

/** Where npm put the package that one at `from` finds under this name: as near above it as there is one. */
function placeOf(dependency: string, from: string): string | null {
  for (let above = from; ; ) {
    const place = `${above}/node_modules/${dependency}`.replace(/^\//, '');
    if (lock.packages[place]) return place;
    if (above === '') return null;
    above = above.slice(0, Math.max(0, above.lastIndexOf('/node_modules/')));
  }
}

const needed = new Set<string>();
function add(dependency: string, from: string): void {
  const place = placeOf(dependency, from);
  if (place === null || needed.has(place)) return;
  needed.add(place);
  const { dependencies, optionalDependencies } = lock.packages[place]!;
  for (const next of Object.keys({ ...dependencies, ...optionalDependencies })) add(next, place);
}
for (const one of wanted) add(one, '');

const manifest = { name, version, private: true, type, dependencies: chosen };
const packages = {
  '': { name, version, dependencies: chosen },
  ...Object.fromEntries([...needed].toSorted().map((place) => [place, lock.packages[place]])),
};
mkdirSync(to, { recursive: true });
writeFileSync(join(to, 'package.json'), JSON.stringify(manifest, null, 2));
writeFileSync(join(to, 'package-lock.json'), JSON.stringify({ ...lock, packages }, null, 2));
