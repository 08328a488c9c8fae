/**
 * A Node program as a service. The program says that it is ready with the IPC message
 * `{type: 'ready'}` and ends on SIGTERM, which parent-watch.ts also sends it when the supervisor is gone.
 */

import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunningService, Service } from '../supervisor.ts';
import { launchProgram, type NodeProgram } from './node-program.ts';

export interface NodeServiceOptions extends NodeProgram {
  name: string;
  /** Runs whenever the program has become ready, before others may rely on it; must bear repetition. */
  prepare?(signal: AbortSignal): Promise<void>;
  readyTimeoutMs?: number;
  /** How long it may take to end after SIGTERM before SIGKILL. */
  stopTimeoutMs?: number;
}

/** Makes a service of a Node program. */
export function nodeService(options: NodeServiceOptions): Service {
  return { name: options.name, start: (signal) => start(options, signal) };
}

async function start(options: NodeServiceOptions, signal: AbortSignal): Promise<RunningService> {
  const { readyTimeoutMs = 60_000, stopTimeoutMs = 10_000 } = options;
  const { child, exited, lastWords } = launchProgram(options);
  const stop = () => end(child, exited, stopTimeoutMs);

  const over = new AbortController();
  const limits = AbortSignal.any([signal, over.signal]);
  try {
    await Promise.race([
      saysReady(child),
      exited.then(async (reason) => {
        // The last lines, which say why, may arrive after the news of the end.
        await sleep(50);
        throw new Error(`it ended (${reason})${lastWords()}`);
      }),
      sleep(readyTimeoutMs, undefined, { signal: limits }).then(() => {
        throw new Error(`it is not ready after ${readyTimeoutMs / 1000} s${lastWords()}`);
      }),
    ]);
    await options.prepare?.(signal);
    return { pid: child.pid!, exited, stop };
  } catch (error) {
    await stop();
    throw error;
  } finally {
    over.abort();
  }
}

function saysReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.on('message', (message: { type?: unknown } | null) => {
      if (message?.type === 'ready') resolve();
    });
  });
}

async function end(child: ChildProcess, exited: Promise<string>, timeoutMs: number): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  await exited;
  clearTimeout(timer);
}
