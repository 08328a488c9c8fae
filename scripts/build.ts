/**
 * `npm run build`: makes dist/, with everything a server needs of ours in single files.
 *
 *   dist/functions/NAME/   build contexts of the functions: faas-cli puts each into the node22 template
 *   dist/services/         the always-on programs, and the functions for our own gateway
 *   dist/stack.yml         what `faas-cli up`, run in dist/, deploys
 */
import { fileURLToPath } from 'node:url';
import { build } from './build/build.ts';

const dist = fileURLToPath(new URL('../dist', import.meta.url));
const { functions, services } = await build(dist);
for (const [what, files] of Object.entries({ functions, services })) {
  for (const { name, kb } of files) console.log(`${what}/${name}  ${kb} kB`);
}
