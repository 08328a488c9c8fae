import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from './gateway-process.ts';

const ECHO = `
export default async (event, context) => context.status(200).headers({ 'content-type': 'application/json' }).succeed({
  method: event.method, path: event.path, query: event.query, headers: event.headers,
  isBuffer: Buffer.isBuffer(event.body), body: event.body.toString('hex'),
});`;

/** One function, its behaviour chosen by the path. */
const BEHAVE = `
const behaviours: Record<string, (context: any) => unknown> = {
  '/buffer': (c) => c.headers({ 'Content-Type': 'image/png' }).succeed(Buffer.from([1, 2, 3])),
  '/string': (c) => c.succeed('text'),
  '/object': () => ({ returned: true }),
  '/array': (c) => c.status(201).succeed([1, 2]),
  '/nothing': () => undefined,
  '/empty': (c) => c.status(204).succeed(),
  '/cookies': (c) => c.headers({ 'Set-Cookie': ['a=1', 'b=2'] }).succeed('x'),
  '/lying': (c) => c.headers({ 'Content-Length': '9999', 'Transfer-Encoding': 'chunked' }).succeed('four'),
  '/twice': (c) => { c.succeed('first'); c.status(500).succeed('second'); },
  '/throw': () => { throw new Error('secret reason'); },
  '/reject': async () => { throw new Error('secret reason'); },
  '/fail': (c) => c.fail(new Error('said so')),
  '/fail-404': (c) => c.status(404).fail('not here'),
  '/status-99': (c) => c.status(99).succeed('x'),
  '/bad-header': (c) => c.headers({ 'x-a': 'line\\nbreak' }).succeed('x'),
  '/circular': () => { const loop: any = {}; loop.loop = loop; return loop; },
  '/forgotten': (c) => { Promise.reject(new Error('nobody waits')); c.succeed('ok'); },
};
export default (event, context) => behaviours[event.path]!(context);`;

const SLOW = `export default () => new Promise(() => {});`;

let gateway: GatewayProcess;
beforeAll(async () => {
  gateway = await startGatewayProcess({
    echo: { code: ECHO },
    behave: { code: BEHAVE },
    slow: { code: SLOW, definition: { environment: { exec_timeout: '50ms' } } },
    missing: {},
    broken: { code: 'throw new Error("cannot load me");' },
    other: { code: 'export const handler = 1;' },
  });
});
afterAll(() => gateway.stop());

const call = (path: string, options?: RequestInit) => fetch(`${gateway.url}/function/${path}`, options);

interface Echoed {
  method: string;
  path: string;
  query: Record<string, unknown>;
  headers: Record<string, string>;
  isBuffer: boolean;
  body: string;
}
const echo = async (path: string, options?: RequestInit) =>
  (await (await call(path, options)).json()) as Echoed;

describe('what a function sees', () => {
  test('the path without the prefix, the query with repeated names as arrays, the bytes', async () => {
    const event = await echo('echo/a%20b/c?x=1&x=2&y=%C3%A4&z', {
      method: 'POST',
      body: Buffer.from([0, 255]),
    });
    expect(event).toMatchObject({
      method: 'POST',
      path: '/a%20b/c',
      query: { x: ['1', '2'], y: 'ä', z: '' },
      isBuffer: true,
      body: '00ff',
    });
  });

  test('a path of / and an empty Buffer where there is nothing', async () => {
    expect(await echo('echo')).toMatchObject({
      method: 'GET',
      path: '/',
      query: {},
      isBuffer: true,
      body: '',
    });
    expect((await echo('echo/')).path).toBe('/');
    expect((await echo('echo?a=/b')).path).toBe('/');
  });

  test.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])('the method %s', async (method) => {
    expect((await echo('echo', { method })).method).toBe(method);
  });

  test('the headers of the gateway beside the caller’s own', async () => {
    const { headers } = await echo('echo', { headers: { 'X-Topic': 'aima/jobs/queued' } });
    expect(headers).toMatchObject({
      'x-topic': 'aima/jobs/queued',
      'x-forwarded-host': new URL(gateway.url).host,
      'content-type': 'text/plain',
    });
    expect(headers['x-forwarded-for']).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(headers['x-start-time']).toMatch(/^\d{19}$/);
  });

  test('X-Forwarded-For of a proxy in front', async () => {
    const { headers } = await echo('echo', { headers: { 'x-forwarded-for': '203.0.113.9' } });
    expect(headers['x-forwarded-for']).toBe('203.0.113.9');
  });
});

describe('names', () => {
  test('with OpenFaaS’s namespace', async () => {
    expect((await echo('echo.openfaas-fn/x')).path).toBe('/x');
  });

  test.each(['nope', 'echo.elsewhere', '', 'e%63ho', '..', '__proto__'])('%s is unknown', async (name) => {
    const response = await call(name);
    expect(response.status).toBe(404);
  });

  test('OpenFaaS’s text for an unknown function', async () => {
    expect(await (await call('nope')).text()).toContain('error finding function nope.openfaas-fn');
  });

  test.each(['missing', 'broken', 'other'])('%s cannot be loaded, the others work', async (name) => {
    const response = await call(name);
    expect(response.status).toBe(500);
    expect(await response.text()).toBe(`Can't reach service for: ${name}.`);
    expect(gateway.output()).toContain(`${name}: the function is unavailable`);
    expect((await call('echo')).status).toBe(200);
  });
});

describe('what a function answers', () => {
  test.each([
    ['buffer', 200, 'image/png', '\u0001\u0002\u0003'],
    ['string', 200, 'text/html; charset=utf-8', 'text'],
    ['object', 200, 'text/html; charset=utf-8', '{"returned":true}'],
    ['array', 201, 'text/html; charset=utf-8', '[1,2]'],
    ['nothing', 200, null, ''],
    ['empty', 204, null, ''],
    ['lying', 200, 'text/html; charset=utf-8', 'four'],
    ['twice', 200, 'text/html; charset=utf-8', 'first'],
    ['fail', 500, 'text/html; charset=utf-8', 'Error: said so'],
    ['fail-404', 404, 'text/html; charset=utf-8', 'not here'],
  ])('%s', async (path, status, type, body) => {
    const response = await call(`behave/${path}`);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe(type);
    expect(await response.text()).toBe(body);
  });

  test('several cookies', async () => {
    expect((await call('behave/cookies')).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  test('HEAD: the length, not the body', async () => {
    const response = await call('behave/string', { method: 'HEAD' });
    expect(response.headers.get('content-length')).toBe('4');
    expect(await response.text()).toBe('');
  });

  test.each(['throw', 'reject', 'status-99', 'bad-header', 'circular', 'no-such-behaviour'])(
    '%s is a 500 that tells no internals',
    async (path) => {
      const response = await call(`behave/${path}`);
      expect(response.status).toBe(500);
      const problem = (await response.json()) as Record<string, unknown>;
      expect(problem).toMatchObject({ code: 'internal', callId: response.headers.get('x-call-id') });
      expect(JSON.stringify(problem)).not.toContain('secret reason');
    },
  );

  test('the reason of a throw is in the log', async () => {
    const response = await call('behave/throw', { headers: { 'x-call-id': 'find-me' } });
    await response.text();
    expect(gateway.output()).toMatch(/call find-me failed:[\s\S]*secret reason/);
  });

  test('no answer in time: 504', async () => {
    const response = await call('slow');
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({ code: 'timeout' });
  });

  test('a promise that a function forgot ends nothing', async () => {
    await (await call('behave/forgotten')).text();
    expect((await call('echo')).status).toBe(200);
  });
});

describe('calls', () => {
  test('have an id, a start and a duration', async () => {
    const { headers } = await call('echo');
    expect(headers.get('x-call-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get('x-start-time')).toMatch(/^\d{19}$/);
    expect(headers.get('x-duration-seconds')).toMatch(/^\d+\.\d{6}$/);
  });

  test('keep a given id, for the function too', async () => {
    const response = await call('echo', { headers: { 'x-call-id': 'my-id.1' } });
    expect(response.headers.get('x-call-id')).toBe('my-id.1');
    expect(((await response.json()) as Echoed).headers['x-call-id']).toBe('my-id.1');
  });

  test.each(['a b', 'x'.repeat(65), '<script>'])('replace the id %s', async (id) => {
    const response = await call('echo', { headers: { 'x-call-id': id } });
    expect(response.headers.get('x-call-id')).not.toBe(id);
  });
});

describe('bodies', () => {
  const MIB = 1024 * 1024;

  test('of 8 MiB are taken', async () => {
    const event = await echo('echo', { method: 'POST', body: Buffer.alloc(8 * MIB, 7) });
    expect(event.body.length).toBe(16 * MIB);
  });

  test('of a byte more are refused, with the answer readable', async () => {
    const response = await call('echo', { method: 'POST', body: Buffer.alloc(8 * MIB + 1) });
    expect(response.status).toBe(413);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ code: 'payload_too_large', status: 413 });
  });

  test('of unknown length are counted as they come', async () => {
    const chunk = Buffer.alloc(MIB);
    const stream = new ReadableStream({
      pull: (controller) => (sent++ < 9 ? controller.enqueue(chunk) : controller.close()),
    });
    let sent = 0;
    const response = await call('echo', { method: 'POST', body: stream, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(413);
  });

  test('cut off by a caller that hangs up harm nobody', async () => {
    await new Promise<void>((resolve) => {
      const cut = request(`${gateway.url}/function/echo`, {
        method: 'POST',
        headers: { 'content-length': '100' },
      });
      cut.on('error', () => resolve());
      cut.write('half', () => cut.destroy(new Error('gone')));
    });
    expect((await call('echo')).status).toBe(200);
  });
});

test('other addresses are plain 404s, health is 200', async () => {
  expect((await fetch(`${gateway.url}/`)).status).toBe(404);
  expect((await fetch(`${gateway.url}/functions/echo`)).status).toBe(404);
  expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
});
