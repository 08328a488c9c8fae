/** RunPod Pods: what every adapter must do, and what only this provider has. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import type { CreateRequest, Offer, Provider } from '../../functions/core/providers/provider.ts';
import {
  openRunpodPods,
  type RunpodPodsOptions,
  runpodPods,
} from '../../functions/core/providers/runpod-pods.ts';
import { conformance } from './conformance.ts';
import { type Exchange, hasSpec, listenToFetch, readOpenApi } from './openapi.ts';
import { type ManualClock, manualClock } from './simulator/clock.ts';
import { startRunpodPods } from './simulator/runpod-pods.ts';
import { accountKey, type Simulator } from './simulator/server.ts';

const spec = 'runpod-rest-v2.openapi.json';
const rtx4090 = 'NVIDIA GeForce RTX 4090';

function adapter(url: string, options: Partial<RunpodPodsOptions> = {}): Provider {
  return runpodPods({
    url,
    apiKey: accountKey,
    image: 'registry.example/aima/worker:1',
    diskGb: 40,
    clouds: ['SECURE', 'COMMUNITY'],
    minCuda: 12.4,
    timeoutMs: 500,
    ...options,
  });
}

// Whatever is said in this file is held against RunPod's own description, where that is at hand.
const api = hasSpec(spec) ? readOpenApi(spec, { undocumented: { '/v2/pods': ['cursor'] } }) : null;
if (!api) console.warn(`../shared/specs/${spec} is absent: what is said is not held against it.`);
const exchanges: Exchange[] = [];
let stopListening: () => void;
beforeEach(() => {
  stopListening = listenToFetch(exchanges);
});
afterEach(() => {
  stopListening();
  // Plain text is a fault that was switched on; RunPod's own answers are JSON.
  const said = exchanges.splice(0).filter(({ contentType }) => !contentType?.startsWith('text/'));
  expect(said.flatMap((exchange) => api?.faultsOf(exchange) ?? [])).toEqual([]);
});

conformance('runpod-pods', async () => {
  const clock = manualClock();
  const simulator = await startRunpodPods({ clock });
  const strangers = adapter(simulator.url, { apiKey: 'key-of-a-stranger' });
  return { simulator, clock, provider: adapter(simulator.url), strangers };
});

describe('runpod-pods', () => {
  let clock: ManualClock;
  let simulator: Simulator;
  let provider: Provider;
  beforeEach(async () => {
    clock = manualClock(Date.parse('2026-11-23T10:00:00Z'));
    simulator = await startRunpodPods({ clock });
    provider = adapter(simulator.url);
  });
  afterEach(() => simulator.close());

  const request = (offer: Offer): CreateRequest => ({
    label: 'aima-tester-1',
    offer,
    environment: { AIMA_INSTANCE_ID: 'x' },
    deadlineAt: new Date(clock.nowMs() + 3_600_000),
    maxCostMicrodollars: 5_000_000,
  });
  const offerOf = async (offerId: string) => {
    const offer = (await provider.offers()).find((one) => one.offerId === offerId);
    if (!offer) throw new Error(`no offer ${offerId}`);
    return offer;
  };
  const anOffer = () => offerOf(`SECURE/${rtx4090}/US-KS-2`);
  const create = async () => provider.create(request(await anOffer()));
  const created = async () => {
    const outcome = await create();
    if (outcome.kind !== 'created') throw new Error(`not created: ${JSON.stringify(outcome)}`);
    return outcome.providerInstanceId;
  };
  const refuse = (status: number, problem: object | string) =>
    simulator.market.faults.add('create', {
      kind: 'answer',
      status,
      body: typeof problem === 'string' ? problem : JSON.stringify({ title: 'No', status, ...problem }),
      done: false,
    });

  it('offers each GPU of each cloud in each data centre, at the price with its disk', async () => {
    const offers = await provider.offers();
    expect(offers.find((one) => one.offerId === `SECURE/${rtx4090}/EU-RO-1`)).toEqual({
      provider: 'runpod-pods',
      offerId: `SECURE/${rtx4090}/EU-RO-1`,
      host: `EU-RO-1/${rtx4090}`,
      gpu: rtx4090,
      vramMb: 24_000,
      cuda: 12.8,
      region: 'EU-RO-1',
      reliability: null,
      interruptible: false,
      // $0.44, and 40 GB at $0.10 for 730 hours.
      priceMicrodollarsPerHour: 445_479,
      trafficMicrodollarsPerGb: { in: 0, out: 0 },
      downloadMbps: null,
      billedFrom: 'request',
      available: 4,
      bootMs: 90_000,
      speed: 2.6,
    });
    expect(offers.filter((one) => one.gpu === rtx4090).map((one) => one.offerId)).toEqual([
      `SECURE/${rtx4090}/US-KS-2`,
      `SECURE/${rtx4090}/EU-RO-1`,
      `COMMUNITY/${rtx4090}/EU-SE-1`,
    ]);
    expect((await offerOf(`COMMUNITY/${rtx4090}/EU-SE-1`)).priceMicrodollarsPerHour).toBe(315_479);
  });

  it('offers nothing of what is sold out, of old drivers and of cards without CUDA', async () => {
    const offers = await provider.offers();
    const available = (gpu: string) => offers.find((one) => one.gpu?.includes(gpu))?.available;
    expect(available('H100')).toBe(0);
    expect(available('A4000')).toBe(0);
    expect(available('MI300X')).toBeUndefined();
    const anyDriver = await adapter(simulator.url, { minCuda: 0 }).offers();
    expect(anyDriver.find((one) => one.gpu?.includes('A4000'))).toMatchObject({ available: 4, cuda: 12.1 });
  });

  it('asks only the clouds that are configured', async () => {
    const offers = await adapter(simulator.url, { clouds: ['COMMUNITY'] }).offers();
    expect(new Set(offers.map((one) => one.offerId.split('/')[0]))).toEqual(new Set(['COMMUNITY']));
  });

  it('asks for one GPU by its count, in the data centre of the offer, and gives the worker no account key', async () => {
    await created();
    const sent = simulator.requests.find((one) => one.method === 'POST')!;
    expect(sent.body).toEqual({
      name: 'aima-tester-1',
      image: 'registry.example/aima/worker:1',
      gpu: { id: rtx4090, count: 1, minCudaVersion: '12.4' },
      cloud: 'SECURE',
      dataCenterIds: ['US-KS-2'],
      disk: 40,
      env: { AIMA_INSTANCE_ID: 'x', AIMA_PROVIDER: 'runpod-pods', AIMA_PROVIDER_URL: simulator.url },
    });
    expect(JSON.stringify(sent.body)).not.toContain(accountKey);
  });

  it('writes a version of CUDA with both its parts', async () => {
    provider = adapter(simulator.url, { minCuda: 12 });
    await created();
    const sent = simulator.requests.find((one) => one.method === 'POST')!;
    expect(sent.body).toMatchObject({ gpu: { minCudaVersion: '12.0' } });
  });

  it.each([
    [400, { detail: 'There are no longer any instances available with enough disk space.' }, 'no_capacity'],
    [400, { detail: 'This machine does not have the resources to deploy your pod.' }, 'no_capacity'],
    [400, { detail: 'mounts.persistent and mounts.network are mutually exclusive' }, 'invalid'],
    [402, { detail: 'insufficient balance' }, 'no_credit'],
    [403, { detail: 'no access to this pool' }, 'invalid'],
    [422, { detail: 'Request validation failed.', errors: ["$: additional properties 'x'"] }, 'invalid'],
    [429, 'error code: 1015', 'rate_limited'],
    [401, '<html>Unauthorized</html>', 'unauthorized'],
  ] as const)('understands %i %j as %s', async (status, problem, why) => {
    refuse(status, problem);
    expect(await create()).toMatchObject({ kind: 'refused', why });
    expect(simulator.market.machines).toEqual([]);
  });

  it('takes no refusal from whoever stands between', async () => {
    for (const status of [400, 402, 403, 404, 422]) {
      refuse(status, '<html>cloudflare</html>');
      await expect(create(), `${status}`).rejects.toThrow(`answered ${status}`);
    }
    // A problem of another status than its own was written for something else.
    simulator.market.faults.add('create', {
      kind: 'answer',
      status: 404,
      body: '{"title": "Bad Gateway", "status": 502, "detail": "upstream"}',
      done: true,
    });
    await expect(create()).rejects.toThrow('answered 404');
  });

  it('takes no failure after which there is a pod for a refusal', async () => {
    simulator.market.faults.add('create', { kind: 'failed_yet_made', status: 500 });
    await expect(create()).rejects.toMatchObject({ reason: 'unavailable' });
    expect(await provider.list()).toMatchObject([{ label: 'aima-tester-1' }]);
  });

  it('is told what its request lacked, as RunPod validates it', async () => {
    provider = adapter(simulator.url, { diskGb: 0.5 });
    const outcome = await create();
    expect(outcome).toMatchObject({ kind: 'refused', why: 'invalid' });
    expect((outcome as { detail: string }).detail).toContain('$.disk');
  });

  it('hands back a machine with another GPU than it asked for', async () => {
    simulator.market.faults.add('create', { kind: 'other_gpu', gpu: 'NVIDIA RTX A4000' });
    const outcome = await create();
    expect(outcome).toMatchObject({
      kind: 'broken',
      providerInstanceId: simulator.market.alive()[0]!.id,
      detail: `It has 1 × NVIDIA RTX A4000 instead of 1 × ${rtx4090}.`,
    });
  });

  it('tells the price that will be billed, not the one that was offered', async () => {
    simulator.market.faults.add('create', { kind: 'dearer', factor: 2 });
    const outcome = await create();
    expect(outcome).toMatchObject({ kind: 'created', priceMicrodollarsPerHour: 885_479 });
    expect(await provider.list()).toMatchObject([{ priceMicrodollarsPerHour: 885_479 }]);
  });

  it('says that a pod runs, which RunPod says of one that is still pulling', async () => {
    await simulator.close();
    simulator = await startRunpodPods({ clock, acceptMs: 1000, pullMs: 60_000 });
    provider = adapter(simulator.url);
    const podId = await created();
    expect(await provider.read(podId)).toMatchObject({ status: 'starting', detail: 'PROVISIONING' });
    clock.advance(2000);
    expect(simulator.market.alive()[0]!.phase).toBe('pulling');
    expect(await provider.read(podId)).toMatchObject({ status: 'running', detail: 'RUNNING' });
  });

  it('counts a stopped pod as a machine: its disk is billed', async () => {
    const podId = await created();
    const stopped = await fetch(`${simulator.url}/v2/pods/${podId}/action`, {
      method: 'POST',
      headers: { authorization: `Bearer ${accountKey}` },
      body: JSON.stringify({ action: 'stop' }),
    });
    expect(stopped.status).toBe(200);
    const machine = { providerInstanceId: podId, label: 'aima-tester-1', status: 'failed', detail: 'EXITED' };
    expect(await provider.list()).toEqual([machine]);
    expect(await provider.read(podId)).toEqual(machine);
    await provider.terminate(podId);
    expect(await provider.read(podId)).toBeNull();
  });

  it('counts a pod that is told of as TERMINATED as gone', async () => {
    const podId = await created();
    const { body } = await exchangeOf('GET', `/v2/pods/${podId}`);
    const gone = JSON.stringify({ ...(body as object), status: 'TERMINATED', cost: 0 });
    simulator.market.faults.add('read', { kind: 'answer', status: 200, body: gone, done: false });
    simulator.market.faults.add('list', {
      kind: 'answer',
      status: 200,
      body: `{"pods": [${gone}]}`,
      done: false,
    });
    expect(await provider.read(podId)).toBeNull();
    expect(await provider.list()).toEqual([]);
  });

  it('reads a list in which one pod is in a state that nobody knows', async () => {
    const podId = await created();
    const { body } = await exchangeOf('GET', `/v2/pods/${podId}`);
    const odd = JSON.stringify({ ...(body as object), status: 'MIGRATING' });
    simulator.market.faults.add('list', {
      kind: 'answer',
      status: 200,
      body: `{"pods": [${odd}]}`,
      done: false,
    });
    expect(await provider.list()).toMatchObject([{ providerInstanceId: podId, detail: 'MIGRATING' }]);
  });

  it('follows the list by its cursor, page by page', async () => {
    const offer = simulator.market.offers[0]!;
    offer.stock = 120;
    for (let n = 0; n < 101; n++)
      simulator.market.rent({ offerId: offer.id, label: `pod-${n}`, environment: {}, request: {} }, null);
    expect(new Set((await provider.list())!.map((one) => one.label)).size).toBe(101);
    const cursors = simulator.requests.filter((one) => one.path === '/v2/pods').map((one) => one.query);
    expect(cursors.map((query) => query.has('cursor'))).toEqual([false, true, true]);
  });

  it.each([
    ['goes round in circles', { nextCursor: 'again', hasNextPage: true }],
    ['goes on without saying where', { nextCursor: null, hasNextPage: true }],
  ])('takes no list for whole that %s', async (_, pagination) => {
    const body = JSON.stringify({ pods: [], pagination });
    simulator.market.faults.add('list', { kind: 'answer', status: 200, body, done: false }, 5);
    await expect(provider.list()).rejects.toMatchObject({ reason: 'unreadable' });
  });

  it('takes a 404 for "none such" only where RunPod itself says it', async () => {
    const podId = await created();
    for (const body of ['<html>404</html>', '{"error": "no route"}', '']) {
      const fault = { kind: 'answer', status: 404, body, done: false } as const;
      simulator.market.faults.add('read', fault);
      await expect(provider.read(podId), body).rejects.toMatchObject({ reason: 'refused' });
      simulator.market.faults.add('terminate', fault);
      await expect(provider.terminate(podId), body).rejects.toMatchObject({ reason: 'refused' });
    }
    expect(await provider.read('none-such')).toBeNull();
    await provider.terminate('none-such');
  });

  it('says for how long RunPod wants to be left alone', async () => {
    await simulator.close();
    simulator = await startRunpodPods({ clock, requestsPerMinute: 1 });
    provider = adapter(simulator.url);
    clock.advance(20_000);
    await provider.list();
    await expect(provider.list()).rejects.toMatchObject({ reason: 'rate_limited', retryAfterMs: 40_000 });
    clock.advance(40_000);
    expect(await provider.list()).toEqual([]);
  });

  it('tells the bill with the disk, over as many hours as there were', async () => {
    const podId = await created();
    clock.advance(2.5 * 3_600_000);
    await provider.terminate(podId);
    clock.advance(3_600_000);
    const since = new Date('2026-11-23T09:30:00Z');
    expect(await provider.costs(since)).toEqual([{ providerInstanceId: podId, microdollars: 1_113_699 }]);
    expect(simulator.market.cost(simulator.market.machines[0]!)).toBeCloseTo(1.113699, 6);
  });

  it('starts a container again that exits, and bills on: only its own key ends it from inside', async () => {
    await simulator.close();
    const seen: Record<string, string>[] = [];
    const exits: (() => void)[] = [];
    simulator = await startRunpodPods({
      clock,
      startContainer(_machine, _market, environment) {
        seen.push(environment);
        const { promise, resolve } = Promise.withResolvers<void>();
        exits.push(resolve);
        return { ended: promise, kill: resolve };
      },
    });
    provider = adapter(simulator.url);
    const [podId, otherId] = [await created(), await created()];
    clock.advance(1);
    expect(seen[0]).toMatchObject({
      AIMA_INSTANCE_ID: 'x',
      AIMA_PROVIDER: 'runpod-pods',
      RUNPOD_POD_ID: podId,
      RUNPOD_GPU_COUNT: '1',
    });
    exits[0]!();
    await Promise.resolve();
    clock.advance(3_600_000);
    expect(seen.map((environment) => environment.RUNPOD_POD_ID)).toEqual([podId, otherId, podId]);
    expect(simulator.market.cost(simulator.market.alive()[0]!)).toBeCloseTo(0.445479, 4);

    const key = seen[0]!.RUNPOD_API_KEY!;
    const inside = adapter(seen[0]!.AIMA_PROVIDER_URL!, { apiKey: key });
    await expect(inside.terminate(otherId)).rejects.toMatchObject({ reason: 'unauthorized' });
    await expect(inside.list()).rejects.toMatchObject({ reason: 'unauthorized' });
    await inside.terminate(podId);
    expect(simulator.market.alive().map((machine) => machine.id)).toEqual([otherId]);
  });

  async function exchangeOf(method: string, path: string): Promise<{ status: number; body: unknown }> {
    const response = await fetch(simulator.url + path, {
      method,
      headers: { authorization: `Bearer ${accountKey}` },
    });
    return { status: response.status, body: await response.json() };
  }
});

describe('runpod-pods, from the configuration,', () => {
  const open = (env: Record<string, string>) =>
    openRunpodPods({ ...loadConfig(env), secret: () => accountKey });

  it('asks the clouds and rents with the image that are configured', async () => {
    const simulator = await startRunpodPods({ clock: manualClock() });
    try {
      const provider = open({
        AIMA_RUNPOD_URL: `${simulator.url}/`,
        AIMA_RUNPOD_CLOUDS: 'COMMUNITY',
        AIMA_WORKER_IMAGE: 'registry.example/aima/worker:2',
        AIMA_DISK_GB: '60',
      });
      const offers = await provider.offers();
      expect(offers.every((offer) => offer.offerId.startsWith('COMMUNITY/'))).toBe(true);
      await provider.create({
        label: 'aima-tester-1',
        offer: offers[0]!,
        environment: {},
        deadlineAt: new Date(),
        maxCostMicrodollars: 1,
      });
      expect(simulator.requests.at(-1)!.body).toMatchObject({
        image: 'registry.example/aima/worker:2',
        disk: 60,
        env: { AIMA_PROVIDER_URL: simulator.url },
      });
    } finally {
      await simulator.close();
    }
  });

  it('says what is lacking', () => {
    expect(() => open({})).toThrow('AIMA_WORKER_IMAGE');
    expect(() => open({ AIMA_WORKER_IMAGE: 'x', AIMA_RUNPOD_CLOUDS: 'secure' })).toThrow(
      'AIMA_RUNPOD_CLOUDS must be',
    );
  });
});

describe('the simulated RunPod', () => {
  it('finds nothing where the GPU count is not said, and refuses what it does not know', async () => {
    const simulator = await startRunpodPods({ clock: manualClock() });
    try {
      const post = async (body: object) => {
        const response = await fetch(`${simulator.url}/v2/pods`, {
          method: 'POST',
          headers: { authorization: `Bearer ${accountKey}` },
          body: JSON.stringify(body),
        });
        return { status: response.status, detail: ((await response.json()) as { detail: string }).detail };
      };
      const pod = { name: 'x', image: 'y', gpu: { id: rtx4090 } };
      expect(await post(pod)).toMatchObject({
        status: 400,
        detail: expect.stringMatching(/no longer any/),
      });
      expect(await post({ ...pod, imageName: 'y' })).toMatchObject({ status: 422 });
      expect((await post({ ...pod, gpu: { id: rtx4090, count: 1 } })).status).toBe(201);
      for (const path of ['catalog/datacenters?include=GPU_AVAILABILITY', 'catalog/gpus', 'billing/pods']) {
        await fetch(`${simulator.url}/v2/${path}`, { headers: { authorization: `Bearer ${accountKey}` } });
      }
    } finally {
      await simulator.close();
    }
  });
});
