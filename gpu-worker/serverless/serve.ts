/** A worker of a queue: takes one job after the other until it is told to end. */

import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '../../functions/core/log.ts';
import type { Queue, QueueJob, Result } from './queue.ts';

/** An answer that comes at once, or none at all, must not make a storm of requests. */
const pauseMs = 1000;

const log = createLog({ service: 'worker' });

/**
 * Resolves after `signal`, when the job at hand has ended.
 *
 * @param work must return soon after its signal. It is aborted when the worker ends, and also when the
 *   job was canceled or is out of time: then nobody wants its result.
 */
export async function serve(
  queue: Queue,
  work: (job: QueueJob, signal: AbortSignal) => Promise<Result>,
  signal: AbortSignal,
): Promise<void> {
  let current: { jobId: string; stop: AbortController } | null = null;
  /** Pings and stops go on until the last job has ended. */
  const over = new AbortController();

  async function takeJobs(): Promise<void> {
    await repeat(signal, async () => {
      const job = await queue.take(signal);
      if (!job) return;
      const stop = new AbortController();
      current = { jobId: job.id, stop };
      const result = await work(job, AbortSignal.any([signal, stop.signal])).finally(() => {
        current = null;
      });
      if (!stop.signal.aborted) await queue.finish(job.id, result);
    });
    over.abort();
  }

  async function ping(): Promise<void> {
    while (!over.signal.aborted) {
      await queue.ping(current?.jobId ?? null).catch(complain);
      await sleep(queue.pingIntervalMs, undefined, { signal: over.signal }).catch(() => {});
    }
  }

  const heedStops = () =>
    repeat(over.signal, async () => {
      for (const jobId of await queue.stops(over.signal)) if (current?.jobId === jobId) current.stop.abort();
    });

  await Promise.all([takeJobs(), ping(), heedStops()]);
}

/** Again and again until the signal; what fails is told and tried again. */
async function repeat(signal: AbortSignal, run: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    const startedAtMs = Date.now();
    await run().catch((error: unknown) => signal.aborted || complain(error));
    const leftMs = startedAtMs + pauseMs - Date.now();
    if (leftMs > 0) await sleep(leftMs, undefined, { signal }).catch(() => {});
  }
}

function complain(error: unknown): void {
  log.warn('the queue cannot be spoken to', { error });
}
