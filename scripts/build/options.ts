/** What all bundles have in common. */
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Metafile } from 'esbuild';

export const project = fileURLToPath(new URL('../..', import.meta.url));

export const common = {
  absWorkingDir: project,
  bundle: true,
  platform: 'node',
  target: 'node22',
  metafile: true,
  logLevel: 'warning',
  // Names stay, so that the stack in a log can be read.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // Native parts that ssh2 and ws go without where they are not there.
  external: ['cpu-features', 'bufferutil', 'utf-8-validate', '*.node'],
} as const satisfies BuildOptions;

const inspection = 'functions/core/media/inspection.ts';
const thread = 'functions/core/media/inspection-thread.ts';

/** Puts the thread that looks into media beside whatever starts it. */
export async function addThreads(built: Metafile, scratch: string): Promise<void> {
  const homes = Object.entries(built.outputs)
    .filter(([, output]) => inspection in output.inputs)
    .map(([file]) => path.dirname(path.resolve(project, file)));
  if (homes.length === 0) return;
  const made = path.join(scratch, 'inspection-thread.mjs');
  await build({ ...common, ...esm, entryPoints: [thread], outfile: made });
  for (const home of new Set(homes)) {
    if (home !== scratch) await copyFile(made, path.join(home, 'inspection-thread.mjs'));
  }
}

/** Packages in CommonJS ask for Node's own modules by `require`, which a module has not. */
export const esm = {
  format: 'esm',
  outExtension: { '.js': '.mjs' },
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  },
} as const satisfies BuildOptions;
