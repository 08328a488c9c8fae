/**
 * Build contexts for OpenFaaS's node22 template: one CommonJS file with everything inside. The
 * template runs `npm install` and `npm test` in each: there is nothing to install, and the test
 * loads the bundle with the image's own Node.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { addThreads, common } from './options.ts';
import { type BundleSize, sizeOf } from './size.ts';

/** @param dir where handler.js and package.json go. */
export async function bundleFunction(name: string, dir: string, version: string): Promise<BundleSize> {
  const { metafile } = await build({
    ...common,
    format: 'cjs',
    entryPoints: [`functions/${name}/handler.ts`],
    outfile: path.join(dir, 'handler.js'),
    // The template calls what the module is, not its default export.
    footer: { js: 'module.exports = module.exports.default;' },
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
  });
  await addThreads(metafile, dir);
  const test = `node -e "if (typeof require('./handler.js') !== 'function') process.exit(1); process.exit(0)"`;
  const manifest = { name, version, private: true, main: 'handler.js', scripts: { test } };
  await writeFile(path.join(dir, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return sizeOf(name, dir);
}
