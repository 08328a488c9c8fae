/** The control plane of a simulated RunPod, as far as it belongs to one serverless endpoint (REST v2). */
import type { MarketOffer } from '../market.ts';
import type { SimAnswer, SimRequest, SimRoute } from '../server.ts';
import type { Jobs, SimJob } from './jobs.ts';

export interface ControlOptions {
  jobs: Jobs;
  /** The endpoint: its id, and how many workers more the account may have. */
  offer: MarketOffer;
  external: boolean;
  /** Workers go on with their jobs when the endpoint is given none any more. */
  drains: boolean;
}

export function openControl({ jobs, offer, external, drains }: ControlOptions) {
  const configured = { min: 0, max: 3, idleTimeout: 5 };
  /** What the account may have; RunPod lowers it by balance, and `max` after days without requests. */
  const quota = () => Math.max(0, offer.stock + jobs.market.alive().length);

  const endpoint = () => ({
    id: offer.id,
    name: 'aima',
    type: 'QUEUE',
    requestUrls: Object.fromEntries(
      Object.entries(operations).map(([key, path]) => [key, `https://api.runpod.ai/v2/${offer.id}/${path}`]),
    ),
    image: 'registry.example/aima-worker:1',
    args: '',
    disk: 20,
    ports: [],
    env: {},
    registry: null,
    gpu: {
      pools: ['AMPERE_24', 'ADA_24'],
      excludedTypes: ['NVIDIA L4'],
      count: 1,
      allowedCudaVersions: [],
      minCudaVersion: '12.4',
    },
    workers: { ...configured, max: Math.min(configured.max, quota()) },
    scaling: { type: 'QUEUE_DELAY', queueDelay: 4 },
    dataCenterIds: [],
    networkVolumes: [],
    timeout: 600_000,
    flashboot: 'FLASHBOOT',
    createdAt: '2026-06-01T12:00:00Z',
  });

  function patch({ body }: SimRequest): SimAnswer {
    const { workers } = body as { workers?: Partial<typeof configured> };
    if (!workers) return problem(422, 'Request validation failed.');
    if ((workers.max ?? 0) > quota()) return problem(400, `max workers is limited to ${quota()}`);
    Object.assign(configured, workers);
    if (configured.max === 0 && !drains)
      for (const job of jobs.live())
        if (job.workerId !== null) jobs.finish(job, 'FAILED', { error: 'the worker was stopped' });
    return { status: 200, body: endpoint() };
  }

  /** One worker for each job where the market runs them; else those that call. */
  function workers() {
    const states = external
      ? jobs.roster
          .present()
          .map((id) => (jobs.live().some((job) => job.workerId === id) ? 'RUNNING' : 'IDLE'))
      : jobs.live().map(workerState);
    return {
      endpointVersion: 1,
      workers: states.map((status, n) => ({
        id: `w${n}`,
        status,
        isStale: false,
        version: 1,
        gpuCount: 1,
        image: 'registry.example/aima-worker:1',
        uptimeSeconds: null,
        gpuTypeId: null,
        dataCenterId: null,
        startedAt: null,
      })),
      summary: {
        ...Object.fromEntries(
          workerStates.map((state) => [state.toLowerCase(), states.filter((one) => one === state).length]),
        ),
        total: states.length,
      },
    };
  }

  const exact = (below: string) => new RegExp(`^/v2/serverless/${offer.id}${below}$`);
  const routes: SimRoute[] = [
    { method: 'GET', path: exact(''), call: null, handle: () => ({ status: 200, body: endpoint() }) },
    { method: 'PATCH', path: exact(''), call: null, handle: patch },
    { method: 'GET', path: exact('/workers'), call: null, handle: () => ({ status: 200, body: workers() }) },
    {
      method: 'GET',
      path: /^\/v2\/catalog\/gpus$/,
      call: 'offers',
      handle: () => ({ status: 200, body: { gpus: catalog(offer.pricePerHour) } }),
    },
  ];

  return { routes, workers };
}

const operations = {
  run: 'run',
  runSync: 'runsync',
  status: 'status/{job_id}',
  stream: 'stream/{job_id}',
  cancel: 'cancel/{job_id}',
  retry: 'retry/{job_id}',
  purgeQueue: 'purge-queue',
  health: 'health',
};

const workerStates = ['RUNNING', 'IDLE', 'INITIALIZING', 'THROTTLED', 'UNHEALTHY'];

function workerState(job: SimJob): string {
  if (job.machine.ailment?.kind === 'crash_loop') return 'UNHEALTHY';
  return job.workerId === null ? 'INITIALIZING' : 'RUNNING';
}

export function problem(status: number, detail: string): SimAnswer {
  return {
    status,
    body: { title: 'Error', status, detail },
    headers: { 'content-type': 'application/problem+json' },
  };
}

function catalog(serverless: number) {
  const gpu = (id: string, name: string, pool: string | null, memory: number, price: number | undefined) => ({
    id,
    name,
    pool,
    manufacturer: 'NVIDIA',
    memory,
    secure: true,
    community: true,
    price: { secure: 0.44, community: 0.31, ...(price === undefined ? {} : { serverless: price }) },
    maxCount: { secure: 8, community: 4 },
  });
  return [
    gpu('NVIDIA GeForce RTX 4090', 'RTX 4090', 'ADA_24', 24, serverless),
    gpu('NVIDIA GeForce RTX 3090', 'RTX 3090', 'AMPERE_24', 24, serverless * 0.6),
    gpu('NVIDIA L4', 'L4', 'AMPERE_24', 24, serverless * 0.6),
    gpu('NVIDIA H100 80GB HBM3', 'H100 SXM', 'ADA_80_PRO', 80, serverless * 3.8),
    gpu('NVIDIA RTX A2000', 'RTX A2000', null, 6, undefined),
  ];
}
