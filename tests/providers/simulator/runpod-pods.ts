/**
 * RunPod's control plane, REST v2, as far as pods go: its published description, and what people met
 * who used it (facts: providers.md, 1.2 and 1.5): pages, a GPU count that must be said, `RUNNING`
 * while the image is still pulled, containers that are started again and billed on.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type MarketMachine, type MarketOptions, openMarket } from './market.ts';
import { openQuota, problem, violations } from './runpod-pods/answers.ts';
import { bill, diskDollarsPerGbPerHour } from './runpod-pods/billing.ts';
import { type Asked, CreatePod, PodAction, podOf, ratesOf, statusOf } from './runpod-pods/pod.ts';
import {
  Cloud,
  dataCenters,
  defaultStock,
  gpuTypes,
  type RunpodOffer,
  reaches,
} from './runpod-pods/stock.ts';
import {
  accountKey,
  type SimAnswer,
  type SimRequest,
  type SimRoute,
  type Simulator,
  startSimulator,
} from './server.ts';

export interface RunpodPodsSimulation
  extends Pick<MarketOptions, 'clock' | 'acceptMs' | 'pullMs' | 'startContainer'> {
  offers?: RunpodOffer[];
  port?: number;
  /** Beyond it is 429. High, since a test's clock may stand still. */
  requestsPerMinute?: number;
}

const podsOfAPage = 50;

export async function startRunpodPods(options: RunpodPodsSimulation = {}): Promise<Simulator> {
  const { offers = defaultStock(), port, requestsPerMinute = 100_000, ...rest } = options;
  const market = openMarket({
    ...rest,
    offers,
    onExit: 'restart',
    billedFrom: 'create',
    newId: () => randomBytes(7).toString('hex'),
    inContainer: (machine) => ({
      RUNPOD_POD_ID: machine.id,
      RUNPOD_API_KEY: machine.containerKey,
      RUNPOD_GPU_COUNT: '1',
      RUNPOD_CPU_COUNT: '8',
      RUNPOD_DC_ID: offerOf(machine).facts.dataCenter,
      RUNPOD_POD_HOSTNAME: `${machine.id}-host`,
    }),
  });
  const quota = openQuota(market.clock, requestsPerMinute);
  const offerOf = (machine: MarketMachine) => offers.find((offer) => offer.id === machine.offerId)!;
  const show = (machine: MarketMachine) => podOf(machine, offerOf(machine), market.clock.nowMs());
  const find = (id: string) => {
    const machine = market.find(id);
    return machine?.endedAtMs === null ? machine : null;
  };
  const noneSuch = problem(404, 'pod not found');

  function create({ body, fault }: SimRequest): SimAnswer {
    const parsed = CreatePod.safeParse(body);
    if (!parsed.success) return violations(parsed.error);
    const asked = parsed.data;
    // A host has one GPU; and without a count none is found, although the description says that it is 1.
    const offer = offers.find(
      ({ stock, facts }) =>
        stock > 0 &&
        facts.gpu === asked.gpu.id &&
        asked.gpu.count === 1 &&
        facts.cloud === asked.cloud &&
        reaches(facts.cuda, asked.gpu.minCudaVersion) &&
        (asked.dataCenterIds.length === 0 || asked.dataCenterIds.includes(facts.dataCenter)),
    );
    const rental = { label: asked.name, environment: asked.env, request: {} };
    const machine = offer && market.rent({ ...rental, offerId: offer.id }, fault);
    if (!machine) {
      return problem(
        400,
        'There are no longer any instances available with the requested specifications. Please refresh and try again.',
      );
    }
    machine.request = {
      ...asked,
      gpuDollarsPerHour: machine.pricePerHour,
      ...(fault?.kind === 'other_gpu' && { gpuGiven: fault.gpu }),
    } satisfies Asked;
    machine.pricePerHour += asked.disk * diskDollarsPerGbPerHour;
    if (fault?.kind === 'failed_yet_made')
      return problem(fault.status, `pod ${machine.id} could not be started`);
    return { status: 201, body: show(machine) };
  }

  function list({ query, fault }: SimRequest): SimAnswer {
    const limit = Number(query.get('limit') ?? podsOfAPage);
    if (!(limit >= 1 && limit <= 1000)) return problem(422, 'limit must be from 1 to 1000');
    const cursor = query.get('cursor');
    const from = cursor === null ? 0 : offsetAt(cursor);
    if (from === null) return problem(422, 'malformed cursor');
    const machines = market.listed(fault);
    const next = from + limit;
    const hasNextPage = next < machines.length;
    return {
      status: 200,
      body: {
        pods: machines.slice(from, next).map(show),
        pagination: { nextCursor: hasNextPage ? cursorAt(next) : null, hasNextPage },
      },
    };
  }

  function read({ params }: SimRequest): SimAnswer {
    const machine = find(params[0]!);
    return machine ? { status: 200, body: show(machine) } : noneSuch;
  }

  function terminate({ params, fault }: SimRequest): SimAnswer {
    if (!find(params[0]!)) return noneSuch;
    if (fault?.kind !== 'ignored') market.end(params[0]!);
    return { status: 204 };
  }

  function act(request: SimRequest): SimAnswer {
    const parsed = PodAction.safeParse(request.body);
    if (!parsed.success) return violations(parsed.error);
    const { action } = parsed.data;
    if (action === 'terminate') return terminate(request);
    const machine = find(request.params[0]!);
    if (!machine) return noneSuch;
    if (action !== 'stop' || statusOf(machine) === 'EXITED')
      return problem(409, `${action} is not valid for a pod that is ${statusOf(machine)}`);
    // A stopped pod and one that was taken away look alike: EXITED, and its disk is billed.
    market.preempt(machine.id);
    return { status: 200, body: show(machine) };
  }

  function listGpus({ query }: SimRequest): SimAnswer {
    const withStock = query.get('include') === 'AVAILABILITY';
    if (withStock !== query.has('product'))
      return problem(400, 'include=AVAILABILITY and product go together');
    const cloud = Cloud.safeParse(query.get('cloud') ?? 'SECURE');
    if (!cloud.success) return violations(cloud.error);
    const count = Number(query.get('count') ?? 1);
    const wanted = { cloud: cloud.data, count, minCudaVersion: query.get('minCudaVersion') };
    return { status: 200, body: { gpus: gpuTypes(offers, withStock ? wanted : null) } };
  }

  function listDataCenters({ query }: SimRequest): SimAnswer {
    const withGpus = query.get('include') === 'GPU_AVAILABILITY';
    return { status: 200, body: { dataCenters: dataCenters(offers, withGpus) } };
  }

  function billPods({ query }: SimRequest): SimAnswer {
    // A week, a month and a year are not simulated.
    const bucketSize = z.enum(['hour', 'day']).safeParse(query.get('bucketSize') ?? 'day');
    if (!bucketSize.success) return violations(bucketSize.error);
    const nowMs = market.clock.nowMs();
    const time = (name: string, otherwise: number) => Date.parse(query.get(name) ?? '') || otherwise;
    const body = bill(market.machines, ratesOf, {
      startMs: time('startTime', nowMs - 30 * 86_400_000),
      endMs: time('endTime', nowMs),
      bucketSize: bucketSize.data,
      podId: query.get('podId'),
      nowMs,
    });
    return { status: 200, body };
  }

  const pod = /^\/v2\/pods\/([^/]+)$/;
  const routes: SimRoute[] = [
    { method: 'POST', path: /^\/v2\/pods$/, call: 'create', handle: create },
    { method: 'GET', path: /^\/v2\/pods$/, call: 'list', handle: list },
    { method: 'GET', path: pod, call: 'read', handle: read },
    { method: 'DELETE', path: pod, call: 'terminate', handle: terminate },
    { method: 'POST', path: /^\/v2\/pods\/([^/]+)\/action$/, call: 'terminate', handle: act },
    { method: 'GET', path: /^\/v2\/catalog\/gpus$/, call: 'offers', handle: listGpus },
    { method: 'GET', path: /^\/v2\/catalog\/datacenters$/, call: 'offers', handle: listDataCenters },
    { method: 'GET', path: /^\/v2\/billing\/pods$/, call: 'costs', handle: billPods },
  ];

  return startSimulator({
    market,
    ...(port === undefined ? {} : { port }),
    notFound: problem(404, 'resource not found'),
    routes: routes.map((route) => ({
      ...route,
      async handle(request) {
        const answer = await route.handle(request);
        return { ...answer, headers: { ...quota.headers(), ...answer.headers } };
      },
    })),
    authorize({ headers }, path) {
      const key = headers.authorization?.replace(/^Bearer /, '');
      const own = market.machines.find((machine) => machine.containerKey === key);
      if (key !== accountKey && !own) return problem(401, 'invalid bearer token');
      // The key in a container is good for its own pod and for nothing else.
      if (own && !new RegExp(`^/v2/pods/${own.id}(/action)?$`).test(path))
        return problem(403, 'access denied');
      const waitSeconds = quota.take();
      if (waitSeconds === null) return null;
      const refusal = problem(429, 'rate limit exceeded for the minute window');
      return {
        ...refusal,
        headers: { ...refusal.headers, ...quota.headers(), 'Retry-After': `${waitSeconds}` },
      };
    },
  });
}

/** Opaque to who uses it, as RunPod's are. */
function cursorAt(offset: number): string {
  return Buffer.from(`pods:${offset}`).toString('base64url');
}

function offsetAt(cursor: string): number | null {
  const offset = /^pods:(\d+)$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  return offset === undefined ? null : Number(offset);
}
