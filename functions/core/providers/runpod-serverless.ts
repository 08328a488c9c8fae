/**
 * RunPod Serverless by npm runpod-sdk: a lease is a job in the queue of one endpoint of our own, whose
 * workers run gpu-worker/serverless.ts. The lease's environment travels in the job's input, so the job
 * may be handed out twice: the second worker is turned away at its hello. It is bounded by its own
 * policy, and gone when its status is final.
 *
 * Jobs cannot be listed, so a job whose submission was not answered is found only when its worker
 * names it; else it is known to be gone when no job is left at all, or when its `ttl` has ended it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Config } from '../config.ts';
import { failureOf, type ProviderAnswer, parseAnswer } from './http.ts';
import {
  type CreateOutcome,
  type CreateRequest,
  type Machine,
  type Provider,
  ProviderError,
  type Refusal,
} from './provider.ts';
import { offerOf, openRunpodEndpoint, whyWaiting } from './runpod-serverless/endpoint.ts';
import { openRunpodJobs } from './runpod-serverless/jobs.ts';
import { webhookAddress } from './runpod-serverless/webhook.ts';

const name = 'runpod-serverless';

/** Of a job's policy: RunPod refuses less or more (facts: providers.md, 2.2). */
const leastMs = 10_000;
const mostMs = 7 * 24 * 3_600_000;

/** Answers to a submission that surely made no job. */
const refusals: Record<number, Refusal> = {
  400: 'invalid',
  401: 'unauthorized',
  402: 'no_credit',
  403: 'unauthorized',
  404: 'invalid',
  413: 'invalid',
  422: 'invalid',
  429: 'rate_limited',
};

const finalStates = ['COMPLETED', 'FAILED', 'CANCELLED', 'TIMED_OUT'];
const Submitted = z.object({ id: z.string().min(1), status: z.string() });
const Job = z.object({ status: z.enum(['IN_QUEUE', 'IN_PROGRESS', 'RUNNING', ...finalStates]) });

export interface RunpodServerlessOptions {
  /** The control plane, api.runpod.io. */
  controlUrl: string;
  /** The job runtime, api.runpod.ai. */
  runtimeUrl: string;
  endpointId: string;
  key: string;
  /** Where RunPod reports the end of a lease's job, or null. */
  webhook?: (instanceId: string) => string | null;
  timeoutMs?: number;
  /** How long `endAll` waits for the workers to be gone, and how often it looks. */
  endAllMs?: number;
  lookMs?: number;
}

/** @throws Error that names what the configuration lacks. */
export function openRunpodServerless(config: Config): Provider {
  const endpointId = config.AIMA_RUNPOD_ENDPOINT;
  if (!endpointId) throw new Error(`AIMA_RUNPOD_ENDPOINT: the provider ${name} needs an endpoint.`);
  return runpodServerless({
    controlUrl: config.AIMA_RUNPOD_URL,
    runtimeUrl: config.AIMA_RUNPOD_SERVERLESS_URL,
    endpointId,
    key: config.secret('runpod-api-key'),
    webhook: (instanceId) => webhookAddress(config.AIMA_GATEWAY_URL, config.secret('lease-key'), instanceId),
  });
}

export function runpodServerless(options: RunpodServerlessOptions): Provider {
  const { endpointId, key, timeoutMs = 30_000, endAllMs = 60_000, lookMs = 2_000 } = options;
  const control = openRunpodEndpoint(name, { url: options.controlUrl, endpointId, key, timeoutMs });
  const jobs = openRunpodJobs(name, { url: options.runtimeUrl, endpointId, key, timeoutMs });

  /**
   * Lets the endpoint have a worker for one job more: after some days without requests RunPod takes
   * them all away (facts: providers.md, 2.4), and a job would wait for ever.
   */
  async function makeRoom(): Promise<void> {
    const [maxWorkers, taken] = await Promise.all([control.maxWorkers(), jobs.busy()]);
    if (maxWorkers < taken + 1) await control.setWorkers({ max: taken + 1 });
  }

  function submit({ label, environment, deadlineAt }: CreateRequest): Promise<ProviderAnswer> {
    const leftMs = Math.min(Math.max(deadlineAt.getTime() - Date.now(), leastMs), mostMs);
    const instanceId = environment.AIMA_INSTANCE_ID;
    const webhook = instanceId ? options.webhook?.(instanceId) : null;
    return jobs.run({
      input: { label, environment: { ...environment, AIMA_PROVIDER: name } },
      policy: { executionTimeout: leftMs, ttl: leftMs },
      ...(webhook ? { webhook } : {}),
    });
  }

  async function read(jobId: string): Promise<Machine | null> {
    const answer = await jobs.status(jobId);
    if (isNoneSuch(answer)) return null;
    if (answer.status !== 200) throw failureOf(name, answer);
    const { status } = parseAnswer(name, Job, answer);
    if (finalStates.includes(status)) return null;
    const machine = { providerInstanceId: jobId, label: '' };
    if (status !== 'IN_QUEUE') return { ...machine, status: 'running' };
    // Why it waits is a hint: what cannot be read must not hide that the job is there.
    const workers = await control.workers().catch(() => null);
    return { ...machine, ...(workers ? whyWaiting(workers) : { status: 'starting' }) };
  }

  return {
    name,
    deadMansSwitch: 'exit_ends_billing',
    isListed: false,
    isRemote: true,
    // Room is made first, by two calls after each other.
    createTimeoutMs: 3 * timeoutMs,
    listLagMs: 0,

    async offers() {
      const [endpoint, taken] = await Promise.all([control.read(), jobs.busy()]);
      return [offerOf(name, endpointId, endpoint, taken)];
    },

    async create(request): Promise<CreateOutcome> {
      try {
        await makeRoom();
      } catch (error) {
        // Nothing was submitted yet, so it is a refusal and no doubt.
        return refusedRoom(error);
      }
      // A crash after it leaves a job that its worker will name, or that its ttl removes.
      const answer = await submit(request);
      const why = refusals[answer.status];
      if (why) return { kind: 'refused', why, detail: failureOf(name, answer).message };
      // A 202 among them, which comes without its body and so without the job's id.
      if (answer.status !== 200) throw failureOf(name, answer);
      const { id } = parseAnswer(name, Submitted, answer);
      const { priceMicrodollarsPerHour } = request.offer;
      return { kind: 'created', providerInstanceId: id, priceMicrodollarsPerHour };
    },

    // There is no list; but where no job waits or runs, the list of them is known.
    list: async () => ((await jobs.busy()) === 0 ? [] : null),
    read,

    async terminate(jobId) {
      const answer = await jobs.cancel(jobId);
      if (answer.status < 300) return void parseAnswer(name, z.object({}), answer);
      // What is over already cannot be canceled and need not be.
      const isRefused = answer.status === 400 || answer.status === 409;
      if (isNoneSuch(answer) || (isRefused && (await read(jobId)) === null)) return;
      throw failureOf(name, answer);
    },

    // RunPod bills endpoints: no record of GET /v2/billing/serverless names a job.
    costs: async () => [],

    /**
     * Takes all workers away from the endpoint and empties its queue, also of jobs that are not ours:
     * it is meant to serve nobody else. The next lease gives it a worker again.
     * @throws ProviderError also where jobs still run after a minute.
     */
    async endAll() {
      // Each helps without the other.
      const asked = await Promise.allSettled([control.setWorkers({ min: 0, max: 0 }), jobs.purge()]);
      for (const one of asked) if (one.status === 'rejected') throw one.reason;
      for (let waitedMs = 0; ; waitedMs += lookMs) {
        const left = await jobs.busy();
        if (left === 0) return;
        if (waitedMs >= endAllMs)
          throw new ProviderError('unavailable', `${left} jobs of ${endpointId} still run or wait.`);
        await sleep(lookMs);
      }
    },
  };
}

/** Why there is no room for one more job; `no_capacity` also where the control plane could not be asked. */
function refusedRoom(error: unknown): CreateOutcome {
  if (!(error instanceof ProviderError)) throw error;
  const isOurs = error.reason === 'unauthorized' || error.reason === 'rate_limited';
  return { kind: 'refused', why: isOurs ? error.reason : 'no_capacity', detail: error.message };
}

/** Only JSON says that a job is unknown; a page of some proxy on the way does not. */
function isNoneSuch({ status, text }: ProviderAnswer): boolean {
  return status === 404 && /^\s*\{/.test(text);
}
