/**
 * A serverless endpoint of RunPod as its control plane tells of it (api.runpod.io, REST v2,
 * https://docs.runpod.io/api-reference-v2): which GPUs it runs on, for how much, and how its workers
 * do. Jobs are another host's business: jobs.ts.
 */
import { z } from 'zod';
import { gpuByName } from '../gpus.ts';
import { askProvider, failureOf, microdollars, type ProviderRequest, parseAnswer } from '../http.ts';
import { type Machine, type Offer, ProviderError } from '../provider.ts';

const Endpoint = z.object({
  type: z.enum(['QUEUE', 'LOAD_BALANCER']).default('QUEUE'),
  gpu: z
    .object({
      pools: z.array(z.string()),
      excludedTypes: z.array(z.string()).default([]),
      count: z.number().int().positive().default(1),
      allowedCudaVersions: z.array(z.string()),
      minCudaVersion: z.string().nullable(),
    })
    .nullish(),
  workers: z.object({ min: z.number().int(), max: z.number().int() }),
  dataCenterIds: z.array(z.string()),
});

const Catalog = z.object({
  gpus: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      pool: z.string().nullable(),
      memory: z.number(), // GB
      price: z.object({ serverless: z.number().optional() }), // dollars per hour for each GPU
    }),
  ),
});

const Workers = z.object({
  summary: z.object({
    running: z.number(),
    idle: z.number(),
    initializing: z.number(),
    throttled: z.number(),
    unhealthy: z.number(),
    total: z.number(),
  }),
});
type WorkerSummary = z.infer<typeof Workers>['summary'];

/** One kind of GPU that the endpoint's workers may get. */
export interface EndpointGpu {
  name: string;
  memoryGb: number;
  dollarsPerHour: number;
}

export interface Endpoint {
  /** Any of these, as RunPod likes. */
  gpus: EndpointGpu[];
  gpusPerWorker: number;
  /** The least that drivers may be, such as 12.4; null where it is not said. */
  cuda: number | null;
  dataCenterIds: string[];
  maxWorkers: number;
}

export interface RunpodEndpoint {
  /** @throws ProviderError also where the endpoint cannot do our work: it has no queue or no GPU. */
  read(): Promise<Endpoint>;
  maxWorkers(): Promise<number>;
  workers(): Promise<WorkerSummary>;
  /** What is left out stays as it is. */
  setWorkers(workers: { min?: number; max: number }): Promise<void>;
}

export function openRunpodEndpoint(
  name: string,
  options: { url: string; endpointId: string; key: string; timeoutMs: number },
): RunpodEndpoint {
  const path = `/v2/serverless/${encodeURIComponent(options.endpointId)}`;

  async function ask<T>(
    method: ProviderRequest['method'],
    path: string,
    schema: z.ZodType<T>,
    body?: unknown,
  ): Promise<T> {
    const answer = await askProvider(name, {
      method,
      url: new URL(path, options.url),
      headers: { authorization: `Bearer ${options.key}` },
      body,
      timeoutMs: options.timeoutMs,
    });
    if (answer.status !== 200) throw failureOf(name, answer);
    return parseAnswer(name, schema, answer);
  }

  return {
    async read() {
      const [endpoint, catalog] = await Promise.all([
        ask('GET', path, Endpoint),
        ask('GET', '/v2/catalog/gpus', Catalog),
      ]);
      const { gpu } = endpoint;
      if (endpoint.type !== 'QUEUE' || !gpu)
        throw new ProviderError('refused', `The endpoint ${options.endpointId} must have a queue and GPUs.`);
      const gpus = catalog.gpus.flatMap(({ id, name, pool, memory, price }) =>
        pool !== null &&
        gpu.pools.includes(pool) &&
        !gpu.excludedTypes.includes(id) &&
        price.serverless !== undefined
          ? [{ name, memoryGb: memory, dollarsPerHour: price.serverless }]
          : [],
      );
      if (gpus.length === 0)
        throw new ProviderError('refused', `RunPod has no price for ${gpu.pools.join(', ')}.`);
      const cudas = gpu.minCudaVersion === null ? gpu.allowedCudaVersions : [gpu.minCudaVersion];
      return {
        gpus,
        gpusPerWorker: gpu.count,
        cuda: cudas.length > 0 ? Math.min(...cudas.map(Number)) : null,
        dataCenterIds: endpoint.dataCenterIds,
        maxWorkers: endpoint.workers.max,
      };
    },
    maxWorkers: async () => (await ask('GET', path, Endpoint)).workers.max,
    workers: async () => (await ask('GET', `${path}/workers`, Workers)).summary,
    setWorkers: async (workers) => void (await ask('PATCH', path, Endpoint, { workers })),
  };
}

/**
 * Pure: what the endpoint offers while it has `taken` jobs. RunPod gives a worker whichever of the endpoint's GPUs is free: the price is that of the dearest, the
 * speed and the memory those of the least. An endpoint without any worker was put to sleep and counts as one
 * with one, since `create` wakes it.
 */
export function offerOf(name: string, endpointId: string, endpoint: Endpoint, taken: number): Offer {
  const { gpus, gpusPerWorker, dataCenterIds } = endpoint;
  const slowest = gpus.reduce((one, two) =>
    gpuByName(two.name).speed < gpuByName(one.name).speed ? two : one,
  );
  const dollarsPerHour = Math.max(...gpus.map((gpu) => gpu.dollarsPerHour)) * gpusPerWorker;
  return {
    provider: name,
    offerId: endpointId,
    host: null,
    gpu: slowest.name,
    vramMb: Math.min(...gpus.map((gpu) => gpu.memoryGb)) * 1000,
    cuda: endpoint.cuda,
    region: dataCenterIds.length > 0 ? dataCenterIds.join(', ') : null,
    reliability: null,
    interruptible: false,
    priceMicrodollarsPerHour: microdollars(dollarsPerHour),
    trafficMicrodollarsPerGb: { in: 0, out: 0 },
    downloadMbps: null,
    billedFrom: 'start',
    available: Math.max(0, Math.max(endpoint.maxWorkers, 1) - taken),
    // Between the 2 s of FlashBoot and the 40 s and more of an image that is not there yet (facts: providers.md, 6.2).
    bootMs: 15_000,
    speed: gpuByName(slowest.name).speed,
  };
}

/** What a job without a worker waits for: the queue itself does not tell a crash loop from a lack of GPUs. */
export function whyWaiting({
  total,
  unhealthy,
  throttled,
  initializing,
}: WorkerSummary): Pick<Machine, 'status' | 'detail'> {
  if (total > 0 && unhealthy === total)
    return { status: 'failed', detail: `All ${total} workers of the endpoint are unhealthy.` };
  const detail = `${total} workers: ${initializing} start, ${throttled} wait for a GPU, ${unhealthy} are unhealthy.`;
  return { status: 'starting', detail };
}
