/** Starts pass.ts as a process of its own, so that one measurement leaves nothing to the next. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PassResult } from './pass.ts';

const program = join(import.meta.dirname, 'pass.ts');

/** @throws where the process fails, with its last words. */
export async function runPass(film: string, passes: number, analyzers: string[]): Promise<PassResult> {
  const args = [program, film, String(passes), ...analyzers];
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}
