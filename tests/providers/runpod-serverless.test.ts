/** RunPod Serverless: what every adapter must do, and what only a queue has. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import runpodSdk from 'runpod-sdk';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig } from '../../functions/core/config.ts';
import type { CreateRequest } from '../../functions/core/providers/provider.ts';
import { isWebhookToken, webhookAddress } from '../../functions/core/providers/runpod-serverless/webhook.ts';
import {
  openRunpodServerless,
  type RunpodServerlessOptions,
  runpodServerless,
} from '../../functions/core/providers/runpod-serverless.ts';
import { accountKey, conformance } from './conformance.ts';
import { type Exchange, hasSpec, listenToFetch, readOpenApi } from './openapi.ts';
import { manualClock } from './simulator/clock.ts';
import {
  type RunpodServerlessOptions as SimulatorOptions,
  startRunpodServerless,
} from './simulator/runpod-serverless.ts';

const hourMs = 3_600_000;

// What the control plane is asked and answers is held against RunPod's own description; of the job
// runtime there is none.
const spec = 'runpod-rest-v2.openapi.json';
const api = hasSpec(spec) ? readOpenApi(spec) : null;
if (!api) console.warn(`../shared/specs/${spec} is absent: what is said is not held against it.`);
const exchanges: Exchange[] = [];
let stopListening: () => void;
beforeEach(() => {
  stopListening = listenToFetch(exchanges);
});
afterEach(() => {
  stopListening();
  const said = exchanges.splice(0).filter(({ url }) => /^\/v2\/(serverless|catalog)\//.test(url.pathname));
  expect(said.flatMap((exchange) => api?.faultsOf(exchange) ?? [])).toEqual([]);
});

async function stand(simulated: SimulatorOptions = {}, options: Partial<RunpodServerlessOptions> = {}) {
  const clock = manualClock();
  const simulator = await startRunpodServerless({ clock, ...simulated });
  const { url, endpointId } = simulator;
  const open = (key: string) =>
    runpodServerless({ controlUrl: url, runtimeUrl: url, endpointId, key, ...options });
  return { simulator, clock, provider: open(accountKey), strangers: open('key-of-somebody') };
}

conformance('runpod-serverless', () => stand({}, { timeoutMs: 500 }), { unlisted: true });

describe('runpod-serverless', () => {
  async function start(simulated: SimulatorOptions = {}, options: Partial<RunpodServerlessOptions> = {}) {
    const parts = await stand(simulated, options);
    onTestFinished(() => parts.simulator.close());
    const { simulator, provider, clock } = parts;
    const request = async (deadlineAt = new Date(clock.nowMs() + hourMs)): Promise<CreateRequest> => ({
      label: 'aima-tester-1',
      offer: (await provider.offers())[0]!,
      environment: { AIMA_INSTANCE_ID: 'one', AIMA_DATABASE_URL: 'postgres://u:secret@h/aima' },
      deadlineAt,
      maxCostMicrodollars: 1_000_000,
    });
    const create = async (deadlineAt?: Date) => {
      const outcome = await provider.create(await request(deadlineAt));
      if (outcome.kind !== 'created') throw new Error(JSON.stringify(outcome));
      return outcome.providerInstanceId;
    };
    const sent = (method: string, end: string) =>
      simulator.requests.filter((one) => one.method === method && one.path.endsWith(end));
    const sleepOn = (max: number) =>
      fetch(`${simulator.url}/v2/serverless/${simulator.endpointId}`, {
        method: 'PATCH',
        headers: { authorization: `Bearer ${accountKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ workers: { max } }),
      });
    return { ...parts, request, create, sent, sleepOn };
  }

  it('offers its endpoint at the price of the dearest GPU in it and the speed of the slowest', async () => {
    const { provider, simulator } = await start();
    expect(await provider.offers()).toEqual([
      expect.objectContaining({
        offerId: simulator.endpointId,
        gpu: 'RTX 3090',
        vramMb: 24_000,
        cuda: 12.4,
        priceMicrodollarsPerHour: 1_100_000,
        billedFrom: 'start',
        available: 3,
      }),
    ]);
  });

  it('offers what its other jobs leave', async () => {
    const { provider, create, clock } = await start();
    await create();
    clock.advance(1000);
    await create();
    expect((await provider.offers())[0]!.available).toBe(1);
  });

  it('gives the worker its lease, as long as it lasts, and no key of the account', async () => {
    const { create, sent } = await start();
    await create(new Date(Date.now() + hourMs));
    const { input, policy } = sent('POST', '/run')[0]!.body as {
      input: { environment: Record<string, string> };
      policy: { executionTimeout: number; ttl: number };
    };
    expect(input).toMatchObject({
      label: 'aima-tester-1',
      environment: { AIMA_PROVIDER: 'runpod-serverless' },
    });
    expect(JSON.stringify(input)).not.toContain(accountKey);
    expect(policy.ttl).toBe(policy.executionTimeout);
    expect(policy.ttl).toBeGreaterThan(hourMs - 60_000);
    expect(policy.ttl).toBeLessThanOrEqual(hourMs);
  });

  it('asks for no shorter a time than RunPod takes', async () => {
    const { create } = await start();
    await create(new Date(Date.now() - 1000));
  });

  it('wakes an endpoint that RunPod has put to sleep, and only then', async () => {
    const { provider, create, sent, sleepOn } = await start();
    await create();
    expect(sent('PATCH', '')).toHaveLength(0);
    await sleepOn(0);
    expect((await provider.offers())[0]!.available).toBe(0);
    await create();
    expect(sent('PATCH', '').at(-1)!.body).toEqual({ workers: { max: 2 } });
  });

  it('offers one worker of an endpoint that sleeps', async () => {
    const { provider, sleepOn } = await start();
    await sleepOn(0);
    expect((await provider.offers())[0]!.available).toBe(1);
  });

  it('is refused, and in no doubt, where there is nothing to submit to', async () => {
    const { provider, simulator, request } = await start();
    const wanted = await request();
    const elsewhere = runpodServerless({
      controlUrl: simulator.url,
      runtimeUrl: simulator.url,
      endpointId: 'mistyped',
      key: accountKey,
    });
    expect(await elsewhere.create(wanted)).toMatchObject({ kind: 'refused', why: 'no_capacity' });
    for (const [status, why] of [
      [400, 'invalid'],
      [402, 'no_credit'],
      [429, 'rate_limited'],
    ] as const) {
      simulator.market.faults.add('create', { kind: 'answer', status, body: '{"error":"no"}', done: false });
      expect(await provider.create(wanted)).toMatchObject({ kind: 'refused', why });
    }
  });

  it('is in doubt after a 202, of which the SDK drops the id', async () => {
    const { provider, simulator, request } = await start();
    const body = '{"id":"somewhere","status":"IN_QUEUE"}';
    simulator.market.faults.add('create', { kind: 'answer', status: 202, body, done: true });
    await expect(provider.create(await request())).rejects.toMatchObject({ reason: 'unreadable' });
  });

  it('reads a job as gone when it is over, however it ended', async () => {
    const { provider, simulator, create, clock } = await start();
    const minute = () => new Date(clock.nowMs() + 60_000);
    const ended = [await create(minute()), await create(), await create()];
    clock.advance(1000);
    simulator.jobs.finish(simulator.jobs.find(ended[1]!)!, 'COMPLETED', { output: {} });
    simulator.jobs.finish(simulator.jobs.find(ended[2]!)!, 'FAILED', { error: 'it crashed' });
    expect(await provider.read(ended[0]!)).toMatchObject({ status: 'running' });
    clock.advance(60_000);
    for (const id of ended) expect(await provider.read(id)).toBeNull();
    clock.advance(hourMs);
    for (const id of ended) expect(await provider.read(id)).toBeNull();
  });

  it('tells a crash loop of the workers from a lack of GPUs', async () => {
    const { provider, simulator, create, clock } = await start();
    simulator.market.faults.add('create', { kind: 'ailing', ailment: { kind: 'never_pulls' } });
    const waiting = await create();
    clock.advance(60_000);
    expect(await provider.read(waiting)).toMatchObject({
      status: 'starting',
      detail: expect.stringContaining('1 workers: 1 start'),
    });
    await provider.terminate(waiting);
    simulator.market.faults.add('create', { kind: 'ailing', ailment: { kind: 'crash_loop' } });
    const crashing = await create();
    clock.advance(60_000);
    expect(await provider.read(crashing)).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('All 1 workers'),
    });
  });

  it('need not cancel what is over already', async () => {
    const { provider, simulator, create, clock } = await start();
    const jobId = await create();
    const refusal = { kind: 'answer', status: 400, body: '{"error":"not now"}', done: false } as const;
    simulator.market.faults.add('terminate', refusal);
    await expect(provider.terminate(jobId)).rejects.toMatchObject({ reason: 'refused' });
    clock.advance(1000);
    simulator.jobs.finish(simulator.jobs.find(jobId)!, 'COMPLETED');
    simulator.market.faults.add('terminate', refusal);
    await provider.terminate(jobId);
  });

  it('takes no id for a path', async () => {
    const { provider, sent } = await start();
    await provider.terminate('../purge-queue');
    expect(sent('POST', 'purge-queue').map(({ path }) => path)).toEqual([
      expect.stringMatching(/\/cancel\/\.\.%2Fpurge-queue$/),
    ]);
  });

  it('ends everything: no workers, an empty queue, and nothing that still runs', async () => {
    const { provider, simulator, create, clock } = await start({}, { lookMs: 10 });
    await create();
    clock.advance(1000);
    await create();
    await provider.endAll!();
    expect(simulator.market.alive()).toEqual([]);
    expect((await provider.offers())[0]!.available).toBe(1);
  });

  it('says so where jobs go on although everything was to end', async () => {
    const { provider, create, clock } = await start({ drains: true }, { lookMs: 10, endAllMs: 50 });
    await create();
    clock.advance(1000);
    await expect(provider.endAll!()).rejects.toThrow('1 jobs of 4m7x2k9q still run or wait');
  });

  it('waits for no answer that stops half-way', async () => {
    const url = await listen((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).write('{"id":');
    });
    const { simulator } = await start();
    const provider = runpodServerless({
      controlUrl: simulator.url,
      runtimeUrl: url,
      endpointId: simulator.endpointId,
      key: accountKey,
      timeoutMs: 100,
    });
    await expect(provider.terminate('one')).rejects.toMatchObject({ reason: 'unavailable' });
  });

  it('lets neither our key nor the lease into an error, wherever one looks in it', async () => {
    const { provider, simulator, request } = await start();
    for (const fault of [
      { kind: 'answer', status: 500, body: 'oops', done: false },
      { kind: 'dropped' },
      { kind: 'answer', status: 200, body: '<html></html>', done: false },
    ] as const) {
      simulator.market.faults.add('create', fault);
      const error = await provider.create(await request()).catch((thrown: unknown) => thrown);
      const seen = inspect(error, { depth: null, showHidden: true });
      expect(seen).toContain('ProviderError');
      expect(seen).not.toContain(accountKey);
      expect(seen).not.toContain('secret');
    }
  });

  it('hears of the end of a job at an address that only we can know', async () => {
    const heard: string[] = [];
    const url = await listen((incoming, response) => {
      heard.push(incoming.url!);
      // RunPod tells again what was not heard.
      response.writeHead(heard.length === 1 ? 500 : 200).end();
    });
    const webhook = (instanceId: string) => `${url}/${instanceId}/token`;
    const { provider, create, clock } = await start({}, { webhook });
    await provider.terminate(await create());
    await expect.poll(() => heard).toEqual(['/one/token']);
    await expect
      .poll(() => {
        clock.advance(10_000);
        return heard.length;
      })
      .toBe(2);
  });

  it('makes addresses for RunPod only where they are secret on their way', () => {
    expect(webhookAddress('http://127.0.0.1:8080', 'key', 'one')).toBeNull();
    const address = webhookAddress('https://aima.example/', 'key', 'one')!;
    expect(address).toMatch(/^https:\/\/aima\.example\/function\/terminate\/serverless\/one\/[\w-]{43}$/);
    const token = address.split('/').at(-1)!;
    expect(isWebhookToken('key', 'one', token)).toBe(true);
    expect(isWebhookToken('key', 'two', token)).toBe(false);
    expect(isWebhookToken('other', 'one', token)).toBe(false);
    expect(isWebhookToken('key', 'one', '')).toBe(false);
  });

  it('names what its configuration lacks', () => {
    expect(() => openRunpodServerless(loadConfig({}))).toThrow('AIMA_RUNPOD_ENDPOINT');
    const config = loadConfig({ AIMA_RUNPOD_ENDPOINT: 'one', AIMA_SECRETS_DIR: tmpdir() });
    expect(() => openRunpodServerless(config)).toThrow('runpod-api-key');
  });
});

const python = spawnSync('python3', [
  '-c',
  'import importlib.util as u; exit(u.find_spec("runpod") is None)',
]);
const hasRunpod = python.status === 0;
if (!hasRunpod) console.warn('Python has no package runpod: the simulated endpoint is not tried with it.');

describe('the simulated endpoint', () => {
  it.skipIf(!hasRunpod)('is served by RunPod’s own worker and asked by its own client', async () => {
    const simulator = await startRunpodServerless({ external: true });
    onTestFinished(() => simulator.close());
    const folder = await mkdtemp(join(tmpdir(), 'aima-runpod-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const program = join(folder, 'handler.py');
    await writeFile(
      program,
      `import runpod, time
def handler(job):
    time.sleep(job["input"].get("seconds", 0))
    if "fault" in job["input"]: raise ValueError(job["input"]["fault"])
    return {"echo": job["input"]}
runpod.serverless.start({"handler": handler})
`,
    );
    const worker = spawn('python3', [program], {
      env: { ...process.env, ...simulator.workerEnvironment('worker-1') },
      stdio: 'ignore',
    });
    onTestFinished(() => void worker.kill('SIGKILL'));
    const endpoint = runpodSdk(accountKey, { baseUrl: `${simulator.url}/v2` }).endpoint(
      simulator.endpointId,
    )!;

    expect(await endpoint.runSync({ input: { text: 'ä' } }, 45_000)).toMatchObject({
      status: 'COMPLETED',
      workerId: 'worker-1',
      output: { echo: { text: 'ä' } },
    });
    const failed = await endpoint.runSync({ input: { fault: 'as asked' } }, 20_000);
    expect(failed).toMatchObject({ status: 'FAILED', error: expect.stringContaining('as asked') });
    expect(await endpoint.health()).toMatchObject({
      jobs: { completed: 1, failed: 1 },
      workers: { idle: 1 },
    });

    const { id } = await endpoint.run({ input: { seconds: 600 } });
    await expect
      .poll(async () => (await endpoint.status(id)).status, { timeout: 10_000 })
      .toBe('IN_PROGRESS');
    expect(await endpoint.cancel(id)).toMatchObject({ id, status: 'CANCELLED' });
    expect((await endpoint.status(id)).status).toBe('CANCELLED');
  });
});

async function listen(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
