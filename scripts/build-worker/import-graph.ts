/**
 * Which files and packages a program needs when it runs: its imports, and theirs, and what it starts as
 * a process or thread by `new URL('…', import.meta.url)`. Imports of types are gone by then.
 */
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';

export interface ImportGraph {
  /** Paths in the repository. */
  files: Set<string>;
  /** Names of npm packages. */
  packages: Set<string>;
}

/** The statement's `from`, or none: `import 'x'`, `import('x')`, `new URL('x', import.meta.url)`. */
const references =
  /(?:^|\n)\s*(?:import|export)(?!\s+type\b)(?:[^'";]*?\sfrom)?\s*'([^']+)'|\bimport\('([^']+)'\)|new URL\(\s*'([^']+)',\s*import\.meta\.url/g;

/**
 * @param root of the repository.
 * @param entries paths in it.
 * @throws Error where a file is imported that is not there.
 */
export function importGraph(root: string, entries: readonly string[]): ImportGraph {
  const graph: ImportGraph = { files: new Set(entries), packages: new Set() };
  for (const file of graph.files) {
    if (!existsSync(join(root, file))) throw new Error(`${file} is imported, but there is no such file`);
    if (!file.endsWith('.ts')) continue;
    for (const [, from, dynamic, url] of readFileSync(join(root, file), 'utf8').matchAll(references)) {
      const target = (from ?? dynamic ?? url)!;
      if (url || target.startsWith('.')) graph.files.add(relative(root, join(root, dirname(file), target)));
      else if (!isBuiltin(target)) graph.packages.add(packageOf(target));
    }
  }
  return graph;
}

/** `@scope/name/path` and `name/path` without their paths. */
function packageOf(specifier: string): string {
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
}
