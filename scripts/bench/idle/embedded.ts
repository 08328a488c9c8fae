/** What every process of `npm start` uses, by service. */
import type { Stack } from '../../../tests/stack/start-stack.ts';
import { type Usage, usage } from './memory.ts';

const names = ['supervisor', 'postgres', 'broker', 'objects', 'functions', 'connector'] as const;

export async function embeddedUsage(stack: Stack): Promise<Record<string, Usage>> {
  const roots = await Promise.all(names.map((name) => stack.pid(name)));
  const others = new Set(roots);
  const used = await Promise.all(roots.map((root) => usage(root, others)));
  return Object.fromEntries(names.map((name, index) => [name, used[index]!]));
}
