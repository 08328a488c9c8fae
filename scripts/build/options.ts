/** What all bundles have in common. */
import { copyFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';

export const project = fileURLToPath(new URL('../..', import.meta.url));

/**
 * runpod-sdk reads its version from its package.json at the start, by `createRequire`, which no bundler
 * sees: within a bundle it would look for a file that is not there, and end the function.
 */
const versionOfSdk: Plugin = {
  name: 'version of runpod-sdk',
  setup({ onLoad }) {
    onLoad({ filter: /node_modules\/runpod-sdk\/dist\/src\/index\.js$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const manifest = JSON.parse(await readFile(path.join(file, '../../../package.json'), 'utf8'));
      const asked = "require('../../package.json')";
      if (!source.includes(asked))
        throw new Error('runpod-sdk no longer reads its version: remove versionOfSdk');
      return { contents: source.replace(asked, JSON.stringify({ version: manifest.version })) };
    });
  },
};

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
  plugins: [versionOfSdk],
  external: ['cpu-features', 'bufferutil', 'utf-8-validate', '*.node'],
} satisfies BuildOptions;

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
