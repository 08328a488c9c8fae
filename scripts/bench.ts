/** `npm run bench -- NAME`: measures one thing on this machine and prints `figure NAME VALUE` lines. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, 'bench');
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.bench.ts'))
  .map((file) => file.replace('.bench.ts', ''));

const [name, ...args] = process.argv.slice(2);
if (!name || !names.includes(name)) {
  console.error(`npm run bench -- NAME, where NAME is one of: ${names.join(', ')}`);
  process.exit(2);
}
const { run } = (await import(join(folder, `${name}.bench.ts`))) as { run(args: string[]): Promise<void> };
await run(args);
process.exit(0);
