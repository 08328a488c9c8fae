import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AsyncQueue } from '../../infra/embedded/gateway/async-queue.ts';
import { BASIC, type GatewayProcess, startGatewayProcess } from './gateway-process.ts';

/** Calls wait at the gate until somebody asks for /open; /seen tells what came through. */
const GATE = `
let open = () => {};
const opened = new Promise<void>((resolve) => { open = resolve; });
const seen: unknown[] = [];
export default async (event, context) => {
  if (event.path === '/open') return open();
  if (event.path === '/seen') return seen;
  if (event.path === '/wait') await opened;
  if (event.path === '/throw') throw new Error('nobody sees this');
  seen.push({ method: event.method, path: event.path, query: event.query, id: event.headers['x-call-id'], body: event.body.toString() });
};`;

let gateway: GatewayProcess;
beforeAll(async () => {
  gateway = await startGatewayProcess({ gate: { code: GATE }, full: { code: GATE } });
});
afterAll(() => gateway.stop());

const post = (path: string, options?: RequestInit) =>
  fetch(`${gateway.url}/async-function/${path}`, { method: 'POST', ...options });

async function seen(name: string): Promise<Array<Record<string, unknown>>> {
  const response = await fetch(`${gateway.url}/function/${name}/seen`);
  return (await response.json()) as Array<Record<string, unknown>>;
}

async function invocations(name: string): Promise<number> {
  const response = await fetch(`${gateway.url}/system/function/${name}`, {
    headers: { authorization: BASIC },
  });
  return ((await response.json()) as { invocationCount: number }).invocationCount;
}

/** Asks again until it is so: an asynchronous call tells nobody when it is done. */
async function eventually(check: () => Promise<boolean>): Promise<void> {
  while (!(await check())) await sleep(20);
}

describe('an asynchronous call', () => {
  test('is accepted at once and made later, with its path, query, id and body', async () => {
    const response = await post('gate.openfaas-fn/a/b?x=1', {
      body: 'hello',
      headers: { 'x-call-id': 'async-1' },
    });
    expect(response.status).toBe(202);
    expect(response.headers.get('x-call-id')).toBe('async-1');
    expect(await response.text()).toBe('');
    await eventually(async () => (await seen('gate')).length > 0);
    expect((await seen('gate'))[0]).toEqual({
      method: 'POST',
      path: '/a/b',
      query: { x: '1' },
      id: 'async-1',
      body: 'hello',
    });
  });

  test('is possible with POST only, and to known functions', async () => {
    expect((await post('gate', { method: 'GET' })).status).toBe(405);
    expect((await post('nope')).status).toBe(404);
  });

  test('with X-Callback-Url is refused', async () => {
    const response = await post('gate', { headers: { 'x-callback-url': 'http://169.254.169.254/' } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'bad_request',
      detail: expect.stringContaining('X-Callback-Url'),
    });
  });

  test('that throws is in the log and ends nothing', async () => {
    await post('gate/throw', { headers: { 'x-call-id': 'thrown-async' } });
    await eventually(async () => gateway.output().includes('call thrown-async failed'));
    expect((await post('gate')).status).toBe(202);
  });

  test('too many at once: 429, and all that were accepted are made', async () => {
    const statuses: number[] = [];
    // 4 run, 1,000 wait: the next one is too many.
    for (let i = 0; i < 1_005; i += 1) statuses.push((await post('full/wait')).status);
    expect(statuses.slice(0, 1_004).every((status) => status === 202)).toBe(true);
    expect(statuses[1_004]).toBe(429);
    await fetch(`${gateway.url}/function/full/open`);
    await eventually(async () => (await seen('full')).length === 1_004);
    expect(await invocations('full')).toBeGreaterThanOrEqual(1_004);
  });
});

describe('the queue', () => {
  test('runs in order, no more at once than it may', async () => {
    const queue = new AsyncQueue({ concurrency: 2, maxTasks: 10, maxBytes: 10 });
    const order: number[] = [];
    let running = 0;
    let most = 0;
    const done = [1, 2, 3, 4, 5].map(
      (id) =>
        new Promise<void>((resolve) => {
          queue.offer(1, async () => {
            order.push(id);
            running += 1;
            most = Math.max(most, running);
            await sleep(1);
            running -= 1;
            resolve();
          });
        }),
    );
    await Promise.all(done);
    expect(order).toEqual([1, 2, 3, 4, 5]);
    expect(most).toBe(2);
  });

  test('is bounded in bytes, and takes more when some are done', async () => {
    const queue = new AsyncQueue({ concurrency: 1, maxTasks: 10, maxBytes: 100 });
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    expect(queue.offer(100, () => gate)).toBe(true);
    let ran = () => {};
    const second = new Promise<void>((resolve) => {
      ran = resolve;
    });
    expect(queue.offer(100, async () => ran())).toBe(true);
    expect(queue.offer(1, async () => {})).toBe(false);
    release();
    await second;
    expect(queue.offer(1, async () => {})).toBe(true);
  });
});
