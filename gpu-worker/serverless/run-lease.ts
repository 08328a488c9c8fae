/**
 * The job of a serverless endpoint is a lease: its input holds the environment of a worker, which then
 * works as on any machine, in a process of its own. What it does it tells our server; RunPod only hears
 * that it has ended.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { readEnvironment } from '../lease/environment.ts';
import type { QueueJob, Result } from './queue.ts';

const Input = z.object({ environment: z.record(z.string(), z.string()) });

/** A worker that is told to end gives its job back within two seconds. */
const graceMs = 10_000;

/**
 * @param program the worker, a TypeScript file.
 * @param ownEnv of the container: paths, devices.
 */
export async function runLease(
  program: string,
  job: QueueJob,
  ownEnv: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Result> {
  let leaseEnv: Record<string, string>;
  try {
    leaseEnv = leaseEnvironment(job);
  } catch (error) {
    return { error: `The input is no lease: ${(error as Error).message}` };
  }
  const startedAtMs = Date.now();
  const child = spawn(process.execPath, [program], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...withoutRunpod(ownEnv), ...leaseEnv },
  });
  const exited = once(child, 'exit') as Promise<[code: number | null, by: NodeJS.Signals | null]>;
  let patience: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill('SIGTERM');
    patience = setTimeout(() => child.kill('SIGKILL'), graceMs);
  };
  if (signal.aborted) end();
  signal.addEventListener('abort', end);
  try {
    const [code, by] = await exited;
    if (code === 0) return { output: { ranMs: Date.now() - startedAtMs } };
    return { error: `The worker ended with ${by ?? `exit code ${code}`}.` };
  } catch (error) {
    return { error: `The worker could not be started: ${(error as Error).message}` };
  } finally {
    signal.removeEventListener('abort', end);
    clearTimeout(patience);
  }
}

/** Only what is ours reaches the worker, and only when it is a whole environment. @throws ZodError */
function leaseEnvironment(job: QueueJob): Record<string, string> {
  const given = Object.entries(Input.parse(job.input).environment);
  const ours = Object.fromEntries(given.filter(([name]) => name.startsWith('AIMA_')));
  readEnvironment(ours);
  // Reported with its first word, so that a lease whose submission was not answered finds its job.
  return { ...ours, AIMA_PROVIDER_INSTANCE_ID: job.id };
}

/** The key to the queue stays with whoever speaks to the queue. */
function withoutRunpod(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('RUNPOD_')));
}
