/**
 * RunPod Pods by the control plane's REST v2 (https://docs.runpod.io/api-reference-v2). RunPod places
 * exactly what it is asked for and falls back to nothing, so an offer names cloud, GPU and data centre.
 *
 * A container that exits is started again and billed on, so the worker deletes its own pod with the
 * key that RunPod puts into the container, good for this pod alone. Pods are never stopped: the disk
 * of a stopped one is billed, and its GPU may be gone when it is started again.
 */
import { z } from 'zod';
import type { Config } from '../config.ts';
import { askProvider, failureOf, microdollars, type ProviderRequest, parseAnswer } from './http.ts';
import {
  type BilledCost,
  type CreateOutcome,
  type CreateRequest,
  type Machine,
  type Offer,
  type Provider,
  ProviderError,
} from './provider.ts';
import { Cloud, GpuTypes, offersFor, placeOf } from './runpod-pods/offers.ts';
import { machineOf, outcomeOf, Pod, PodPage, refusalOf, saysNoneSuch } from './runpod-pods/pods.ts';

const name = 'runpod-pods';

const Billing = z.object({ records: z.array(z.object({ podId: z.string(), totalAmount: z.number() })) });

export interface RunpodPodsOptions {
  /** Of the control plane, without `/v2`. */
  url: string;
  apiKey: string;
  /** The container image. */
  image: string;
  diskGb: number;
  clouds: Cloud[];
  /** The least CUDA that the driver must run, such as 12.4; 0: any. */
  minCuda: number;
  /** For one answer. */
  timeoutMs?: number;
}

/** @throws Error that names what the configuration lacks. */
export function openRunpodPods(config: Config): Provider {
  const image = config.AIMA_WORKER_IMAGE;
  if (!image) throw new Error(`AIMA_WORKER_IMAGE: ${name} needs the image that its machines run.`);
  const clouds = z.array(Cloud).min(1).safeParse(config.AIMA_RUNPOD_CLOUDS);
  if (!clouds.success) throw new Error('AIMA_RUNPOD_CLOUDS must be SECURE, COMMUNITY or both.');
  return runpodPods({
    url: config.AIMA_RUNPOD_URL,
    apiKey: config.secret('runpod-api-key'),
    image,
    diskGb: config.AIMA_DISK_GB,
    clouds: clouds.data,
    minCuda: config.AIMA_MIN_CUDA,
  });
}

export function runpodPods(options: RunpodPodsOptions): Provider {
  const { apiKey, image, diskGb, clouds, timeoutMs = 30_000 } = options;
  const url = options.url.replace(/\/+$/, '');
  const driver = options.minCuda > 0 ? { minCudaVersion: cudaVersion(options.minCuda) } : {};

  const ask = (method: ProviderRequest['method'], path: string, body?: unknown) =>
    askProvider(name, {
      method,
      url: new URL(url + path),
      headers: { authorization: `Bearer ${apiKey}` },
      body,
      timeoutMs,
    });
  const get = async <T>(path: string, query: Record<string, string>, schema: z.ZodType<T>): Promise<T> => {
    const answer = await ask('GET', `${path}?${new URLSearchParams(query)}`);
    if (answer.status !== 200) throw failureOf(name, answer);
    return parseAnswer(name, schema, answer);
  };

  async function offersOf(cloud: Cloud): Promise<Offer[]> {
    const query = { include: 'AVAILABILITY', product: 'POD', count: '1', cloud, ...driver };
    const { gpus } = await get('/v2/catalog/gpus', query, GpuTypes);
    return gpus.flatMap((gpu) => offersFor(cloud, gpu, diskGb));
  }

  return {
    name,
    deadMansSwitch: 'worker_credentials',
    isListed: true,
    isRemote: true,
    createTimeoutMs: timeoutMs,
    // What was just made was missing in lists of RunPod for several looks (transformerlab-app PR #2305).
    listLagMs: 120_000,

    offers: async () => (await Promise.all(clouds.map(offersOf))).flat(),

    async create({ label, offer, environment }: CreateRequest): Promise<CreateOutcome> {
      const place = placeOf(offer.offerId);
      const answer = await ask('POST', '/v2/pods', {
        name: label,
        image,
        // 1 is the default, but without it RunPod says that nothing is free (runpod-mcp, 2026-08-04).
        gpu: { id: place.gpu, count: 1, ...driver },
        cloud: place.cloud,
        ...(place.dataCenter === null ? {} : { dataCenterIds: [place.dataCenter] }),
        disk: diskGb,
        env: { ...environment, AIMA_PROVIDER: name, AIMA_PROVIDER_URL: url },
      });
      // A crash here leaves a pod that only its name, our label, tells of.
      if (answer.status !== 201) return refusalOf(answer);
      return outcomeOf(parseAnswer(name, Pod, answer), offer, place);
    },

    async list(): Promise<Machine[]> {
      const pods: Pod[] = [];
      const cursors = new Set<string>();
      for (let query: Record<string, string> = {}; ; ) {
        const page = await get('/v2/pods', query, PodPage);
        pods.push(...page.pods);
        const cursor = page.pagination?.nextCursor;
        if (!(page.pagination?.hasNextPage ?? cursor)) break;
        if (!cursor || cursors.has(cursor))
          throw new ProviderError('unreadable', `${name} says that its list goes on, but not where.`);
        cursors.add(cursor);
        query = { cursor };
      }
      return pods.map(machineOf).filter((machine) => machine !== null);
    },

    async read(podId: string): Promise<Machine | null> {
      const answer = await ask('GET', podPath(podId));
      if (saysNoneSuch(answer)) return null;
      if (answer.status !== 200) throw failureOf(name, answer);
      return machineOf(parseAnswer(name, Pod, answer));
    },

    async terminate(podId: string): Promise<void> {
      // A crash before the answer: it is asked for again, and answered with "none such".
      const answer = await ask('DELETE', podPath(podId));
      if (answer.status !== 204 && !saysNoneSuch(answer)) throw failureOf(name, answer);
    },

    /** RunPod sums up by whole hours: the one that `since` falls into counts from its beginning. */
    async costs(since: Date): Promise<BilledCost[]> {
      const query = { startTime: since.toISOString(), bucketSize: 'hour' };
      const { records } = await get('/v2/billing/pods', query, Billing);
      return [...Map.groupBy(records, (record) => record.podId)].map(([providerInstanceId, hours]) => ({
        providerInstanceId,
        microdollars: microdollars(hours.reduce((sum, hour) => sum + hour.totalAmount, 0)),
      }));
    },
  };
}

function podPath(podId: string): string {
  return `/v2/pods/${encodeURIComponent(podId)}`;
}

/** `12.4`, `13.0`: both parts are wanted. */
function cudaVersion(cuda: number): string {
  return Number.isInteger(cuda) ? `${cuda}.0` : String(cuda);
}
