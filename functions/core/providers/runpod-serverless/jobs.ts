/**
 * The queue of a serverless endpoint by npm runpod-sdk 1.1.2 (api.runpod.ai). What the SDK answers and
 * throws is turned back into the plain HTTP answers it was made of, to be read like every other provider's.
 */
import runpodSdk, { type EndpointInputPayload } from 'runpod-sdk';
import { z } from 'zod';
import { failureOf, type ProviderAnswer, parseAnswer } from '../http.ts';
import { ProviderError } from '../provider.ts';

const Health = z.object({ jobs: z.object({ inProgress: z.number(), inQueue: z.number() }) });
const Purged = z.object({ removed: z.number() });

export interface RunpodJobs {
  run(job: EndpointInputPayload): Promise<ProviderAnswer>;
  status(jobId: string): Promise<ProviderAnswer>;
  cancel(jobId: string): Promise<ProviderAnswer>;
  /** How many jobs have a worker or wait for one. @throws ProviderError */
  busy(): Promise<number>;
  /** Takes the waiting ones out of the queue. @throws ProviderError */
  purge(): Promise<void>;
}

export function openRunpodJobs(
  name: string,
  options: { url: string; endpointId: string; key: string; timeoutMs: number },
): RunpodJobs {
  const { endpointId, key, timeoutMs } = options;
  const queue = runpodSdk(key, { baseUrl: new URL('/v2', options.url).href }).endpoint(endpointId)!;
  const ask = (call: Promise<unknown>) => plainAnswer(name, call, timeoutMs);
  const read = async <T>(schema: z.ZodType<T>, call: Promise<unknown>): Promise<T> => {
    const answer = await ask(call);
    if (answer.status !== 200) throw failureOf(name, answer);
    return parseAnswer(name, schema, answer);
  };
  return {
    // The SDK's own timeout is 3 s where none is given, and a submission that was given up is in doubt.
    run: (job) => ask(queue.run(job, timeoutMs)),
    // An id may be what a worker said it is: it must not become another path.
    status: (jobId) => ask(queue.status(encodeURIComponent(jobId), timeoutMs)),
    cancel: (jobId) => ask(queue.cancel(encodeURIComponent(jobId), timeoutMs)),
    async busy() {
      const { inProgress, inQueue } = (await read(Health, queue.health(timeoutMs))).jobs;
      return inProgress + inQueue;
    },
    purge: async () => void (await read(Purged, queue.purgeQueue(timeoutMs))),
  };
}

/**
 * The answer to a call of the SDK, whatever its status.
 *
 * - It throws for a status of 400 and more, with the answer in the error.
 * - Of a success other than 200 it gives the status as a number and drops the body.
 * - Its timeout ends when the headers have come: a body that stops half-way would be waited for without end.
 *
 * @throws ProviderError `unavailable` where no whole answer came. Never with the SDK's own error as its
 *   cause: that holds our key and everything that was sent, and causes end in logs.
 */
async function plainAnswer(name: string, call: Promise<unknown>, timeoutMs: number): Promise<ProviderAnswer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no whole answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    const value = await Promise.race([call, late]);
    const { status } = Object(value) as { status?: unknown };
    return { status: typeof status === 'number' ? status : 200, headers: new Headers(), text: textOf(value) };
  } catch (error) {
    const { response } = error as { response?: { status: number; headers: Headers; data: unknown } };
    if (response) return { status: response.status, headers: response.headers, text: textOf(response.data) };
    throw new ProviderError('unavailable', `${name} did not answer: ${(error as Error).message}.`);
  } finally {
    clearTimeout(timer);
  }
}

/** JSON comes parsed, everything else as the text that it was. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
