/**
 * A built function as a process: in the stand-in for the template's server, and around that of-watchdog
 * where it is asked for, as in the image of a function.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../infra/embedded/ports.ts';
import { pathOf } from './parts.ts';

export const templateServer = join(import.meta.dirname, 'template-server/index.cjs');

export interface FunctionProcess {
  url: string;
  pid: number;
  /** From the start of the process until its first answer. */
  coldStartMs: number;
  output(): string;
  stop(): Promise<void>;
}

export interface FunctionOptions {
  /** Build context: handler.js and what is beside it. */
  dir: string;
  environment: Record<string, string>;
  isWatched?: boolean;
}

/** @throws Error with what it printed, where it ends before it answers. */
export async function startFunction(options: FunctionOptions): Promise<FunctionProcess> {
  const home = await mkdtemp(join(tmpdir(), 'aima-function-'));
  await copyFile(templateServer, join(home, 'index.cjs'));
  await symlink(options.dir, join(home, 'function'));
  const inner = await freePort();
  const port = options.isWatched ? await freePort(new Set([inner])) : inner;
  const env = {
    PATH: process.env.PATH,
    http_port: String(inner),
    ...options.environment,
    ...(options.isWatched && {
      port: String(port),
      mode: 'http',
      fprocess: `${process.execPath} index.cjs`,
      upstream_url: `http://127.0.0.1:${inner}`,
    }),
  };
  const startedMs = performance.now();
  const child = options.isWatched
    ? spawn(pathOf('of-watchdog'), [], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] })
    : spawn(process.execPath, ['index.cjs'], { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  const gone = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  await firstAnswer(url, child, () => text);
  return {
    url,
    pid: child.pid!,
    coldStartMs: Math.round(performance.now() - startedMs),
    output: () => text,
    async stop() {
      child.kill('SIGTERM');
      await gone;
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function firstAnswer(url: string, child: ChildProcess, output: () => string): Promise<void> {
  while (child.exitCode === null) {
    const response = await fetch(url).catch(() => null);
    // The watchdog answers 500 as long as there is nobody behind it.
    if (response && !response.headers.has('x-openfaas-internal')) return;
    await sleep(5);
  }
  throw new Error(`the function ended:\n${output()}`);
}
