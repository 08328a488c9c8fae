/**
 * The worker of a RunPod Serverless endpoint (functions/core/providers/runpod-serverless.ts): the command
 * of the container there, in place of main.ts, which it starts for each lease.
 */
import { fileURLToPath } from 'node:url';
import { openQueue } from './serverless/queue.ts';
import { runLease } from './serverless/run-lease.ts';
import { serve } from './serverless/serve.ts';

const program = fileURLToPath(new URL('main.ts', import.meta.url));

const life = new AbortController();
process.on('SIGTERM', () => life.abort());
process.on('SIGINT', () => life.abort());

await serve(
  openQueue(process.env),
  (job, signal) => runLease(program, job, process.env, signal),
  life.signal,
);
