/**
 * The queue of a RunPod Serverless endpoint as a worker sees it. The protocol is documented nowhere; it
 * is that of runpod-python 1.12.0, runpod/serverless/modules/{rp_job,rp_http,rp_ping}.py.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

const Environment = z.object({
  RUNPOD_WEBHOOK_GET_JOB: z.url(),
  RUNPOD_WEBHOOK_POST_OUTPUT: z.url(),
  RUNPOD_WEBHOOK_PING: z.url(),
  /** Good for this worker alone. */
  RUNPOD_AI_API_KEY: z.string().min(1),
  /** The worker's own id. */
  RUNPOD_POD_ID: z.string().min(1),
  /** Milliseconds. */
  RUNPOD_PING_INTERVAL: z.coerce.number().positive().default(10_000),
});

const Job = z.object({ id: z.string().min(1), input: z.unknown() });
const Stops = z.object({ jobsToStop: z.array(z.string()) });

export type QueueJob = z.infer<typeof Job>;

/** `error` is text for people; RunPod calls the job failed then. */
export type Result = { output: unknown } | { error: string };

/** RunPod holds a poll open for a while; one that is older than this was lost. */
const pollMs = 90_000;
/** What RunPod's own worker waits for after a 429. */
const busyPauseMs = 5_000;
const resultTries = 3;
const resultTimeoutMs = 30_000;

export interface Queue {
  pingIntervalMs: number;
  /** The next job, or null after a while; only for a worker that has none. @throws for any other answer. */
  take(signal: AbortSignal): Promise<QueueJob | null>;
  /** Says how a job ended. @throws after three tries: RunPod gives it to another worker then. */
  finish(jobId: string, result: Result): Promise<void>;
  /** Keeps RunPod from giving the job to another. */
  ping(jobId: string | null): Promise<void>;
  /** Jobs that were canceled or are out of time; empty after a while. @throws for any other answer. */
  stops(signal: AbortSignal): Promise<string[]>;
}

/** @throws ZodError that names what RunPod has not set. */
export function openQueue(env: Record<string, string | undefined>): Queue {
  const values = Environment.parse(env);
  const workerId = values.RUNPOD_POD_ID;
  const takeUrl = values.RUNPOD_WEBHOOK_GET_JOB.replaceAll('$ID', () => workerId);

  function ask(url: string, query: Record<string, string>, init: RequestInit): Promise<Response> {
    const address = new URL(url);
    for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
    // The key as it is, without "Bearer".
    const headers = { authorization: values.RUNPOD_AI_API_KEY, ...init.headers };
    return fetch(address, { ...init, headers });
  }

  /** The JSON of an answer, or null for one that says that there is nothing. */
  async function poll<T>(
    schema: z.ZodType<T>,
    url: string,
    query: Record<string, string>,
    signal: AbortSignal,
  ): Promise<T | null> {
    const response = await ask(url, query, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(pollMs)]),
    });
    const text = await response.text();
    // 400 is what a worker hears that FlashBoot has just woken up.
    if (response.status === 204 || response.status === 400) return null;
    if (response.status === 429) await sleep(busyPauseMs, undefined, { signal });
    if (response.status !== 200) throw new Error(`RunPod answered ${response.status}`);
    return text === '' ? null : schema.parse(JSON.parse(text));
  }

  /** @returns why it was not heard, or null. */
  async function post(jobId: string, body: string): Promise<Error | null> {
    const url = values.RUNPOD_WEBHOOK_POST_OUTPUT.replaceAll('$RUNPOD_POD_ID', () => workerId);
    const response = await ask(
      url.replaceAll('$ID', () => jobId),
      { isStream: 'false' },
      {
        method: 'POST',
        body,
        // JSON under a form's type is what RunPod's own worker sends.
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          charset: 'utf-8',
          'x-request-id': jobId,
        },
        signal: AbortSignal.timeout(resultTimeoutMs),
      },
    );
    await response.text();
    return response.ok ? null : new Error(`RunPod answered ${response.status}`);
  }

  return {
    pingIntervalMs: values.RUNPOD_PING_INTERVAL,
    take: (signal) => poll(Job, takeUrl, { job_in_progress: '0' }, signal),
    async finish(jobId, result) {
      const body = JSON.stringify('error' in result ? { error: errorText(result.error, workerId) } : result);
      for (let attempt = 1; ; attempt++) {
        const failure = await post(jobId, body).catch((error: unknown) => error);
        if (!failure) return;
        if (attempt === resultTries) throw failure;
        await sleep(1000 * attempt);
      }
    },
    async ping(jobId) {
      const url = values.RUNPOD_WEBHOOK_PING.replaceAll('$RUNPOD_POD_ID', () => workerId);
      const signal = AbortSignal.timeout(2 * values.RUNPOD_PING_INTERVAL);
      await (await ask(url, jobId ? { job_id: jobId } : {}, { signal })).text();
    },
    async stops(signal) {
      const url = takeUrl.replace('/job-take/', '/job-stop/');
      if (url !== takeUrl) return (await poll(Stops, url, {}, signal))?.jobsToStop ?? [];
      // No such channel: asking the same address again would take jobs.
      await sleep(pollMs, undefined, { signal });
      return [];
    },
  };
}

/** The form in which RunPod's page shows errors. */
function errorText(message: string, workerId: string): string {
  return JSON.stringify({ error_type: 'WorkerFailed', error_message: message, worker_id: workerId });
}
