/** What the world reaches through the Caddyfile: the real Caddy in front of our gateway. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { BASIC, type GatewayProcess, startGatewayProcess } from '../gateway/gateway-process.ts';
import { hasCaddy, type ReverseProxy, startProxy } from './proxy-process.ts';

if (!hasCaddy) console.log('the proxy is not tested: there is no caddy (apt-get install caddy)');

/** Says who it is and what it was given. */
const echo = (name: string) => ({
  code: `export default async (event, context) => context.status(200).headers({ 'content-type': 'application/json' })
    .succeed(JSON.stringify({ name: '${name}', path: event.path, headers: event.headers }));`,
});

describe.skipIf(!hasCaddy)('the proxy', () => {
  let gateway: GatewayProcess;
  let store: Server;
  let broker: WebSocketServer;
  let proxy: ReverseProxy;

  beforeAll(async () => {
    const names = ['submit-job', 'jobs', 'orchestrate', 'on-complete', 'terminate'];
    gateway = await startGatewayProcess(Object.fromEntries(names.map((name) => [name, echo(name)])));
    store = createServer(({ url, headers, method }, response) => {
      response.end(JSON.stringify({ url, method, host: headers.host }));
    }).listen(0, '127.0.0.1');
    broker = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    broker.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
    await Promise.all([once(store, 'listening'), once(broker, 'listening')]);
    proxy = await startProxy({
      gateway: new URL(gateway.url).host,
      objects: `127.0.0.1:${(store.address() as AddressInfo).port}`,
      broker: `127.0.0.1:${(broker.address() as AddressInfo).port}`,
    });
  });

  afterAll(async () => {
    await proxy?.stop();
    await gateway?.stop();
    store?.close();
    broker?.close();
  });

  const instance = '01m876natq9paaymb09qxc0grv';

  test.each([
    ['POST', '/function/submit-job', 'submit-job'],
    ['POST', `/function/submit-job/${instance}/upload`, 'submit-job'],
    ['GET', '/function/jobs', 'jobs'],
    ['GET', `/function/jobs/${instance}/transcript.vtt`, 'jobs'],
    ['GET', '/function/jobs/health', 'jobs'],
    ['GET', '/function/orchestrate', 'orchestrate'],
    ['GET', '/function/orchestrate/alerts', 'orchestrate'],
    ['POST', '/function/orchestrate/hold', 'orchestrate'],
    ['POST', '/function/terminate', 'terminate'],
    ['POST', `/function/terminate/serverless/${instance}/aToken_-9`, 'terminate'],
  ])('lets %s %s through', async (method, path, name) => {
    const { status, text } = await proxy.ask(path, { method });
    expect([status, JSON.parse(text).name]).toEqual([200, name]);
  });

  test.each([
    ['GET', '/'],
    ['GET', '/healthz'],
    ['GET', '/metrics'],
    ['GET', '/ui/'],
    ['GET', '/system/functions'],
    ['POST', '/async-function/submit-job'],
    ['GET', '/function'],
    ['POST', '/function/on-complete'],
    ['POST', '/function/on-complete.openfaas-fn'],
    ['POST', '/function/jobs.openfaas-fn'],
    ['GET', '/function/jobs/metrics'],
    ['GET', '/function/JOBS/metrics'],
    ['GET', '/function/jobs/%6detrics'],
    ['POST', '/function/orchestrate'],
    ['POST', '/function/orchestrate/'],
    ['GET', '/function/terminate'],
    ['GET', `/function/terminate/serverless/${instance}/aToken`],
    ['POST', `/function/terminate/serverless/${instance}/a/b`],
    ['POST', '/function/jobs/../on-complete'],
    ['POST', '/function/jobs/%2e%2e/on-complete'],
    ['POST', '/function/jobs%2f..%2fon-complete'],
    ['GET', '/function/jobs/../../system/functions'],
    ['GET', '//system/functions'],
  ])('knows nothing of %s %s', async (method, path) => {
    const { status, text } = await proxy.ask(path, { method, headers: { authorization: BASIC } });
    expect([status, text]).toEqual([404, '']);
  });

  test('hands on none of the headers by which our parts and OpenFaaS speak to each other', async () => {
    const forged = {
      'x-callback-url': 'http://127.0.0.1:9/',
      'x-topic': 'cron-function',
      'x-connector': 'connector-sdk',
      'x-event-id': 'forged',
      'x-call-id': 'forged',
      'x-start-time': 'forged',
      'x-timeout': '1ms',
      'x-openfaas-internal': 'of-watchdog',
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-host': 'forged.example',
    };
    const { text } = await proxy.ask('/function/jobs', {
      headers: { ...forged, authorization: 'Bearer kept' },
    });
    const { headers } = JSON.parse(text) as { headers: Record<string, string> };
    expect(headers.authorization).toBe('Bearer kept');
    expect(headers['x-forwarded-for']).toMatch(/^127\.0\.0\.1/);
    expect(text).not.toContain('forged');
    for (const name of [
      'x-callback-url',
      'x-topic',
      'x-connector',
      'x-event-id',
      'x-timeout',
      'x-openfaas-internal',
    ])
      expect(headers, name).not.toHaveProperty(name);
  });

  test('adds what browsers are to be told, and does not say what runs here', async () => {
    const { headers } = await proxy.ask('/function/jobs');
    expect(headers).toMatchObject({
      'strict-transport-security': 'max-age=31536000',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    });
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers).not.toHaveProperty('server');
    expect(headers).not.toHaveProperty('x-served-by');
  });

  test('takes 8 MiB for a function, and no more', async () => {
    const full = await proxy.ask('/function/submit-job', { method: 'POST', body: Buffer.alloc(8 * 2 ** 20) });
    expect(full.status).toBe(200);
    const over = await proxy
      .ask('/function/submit-job', { method: 'POST', body: Buffer.alloc(8 * 2 ** 20 + 1) })
      .then(
        ({ status }) => status,
        (error: NodeJS.ErrnoException) => error.code,
      );
    // It may close the connection while the rest is still on its way.
    expect([413, 502, 'EPIPE', 'ECONNRESET']).toContain(over);
  });

  test('leaves host and path of the bucket as they were signed, and has one bucket', async () => {
    const host = 's3.aima.test';
    const path = '/media/uploads/a%2Bb%20c.mp4?X-Amz-Signature=0%2F1';
    const { text } = await proxy.ask(path, { host, method: 'PUT', body: Buffer.from('x') });
    expect(JSON.parse(text)).toEqual({ url: path, method: 'PUT', host: `${host}:${proxy.port}` });
    for (const other of [
      '/',
      '/minio/health/live',
      '/minio/admin/v3/info',
      '/other/a',
      '/media/../other/a',
      '/mediax',
    ])
      expect((await proxy.ask(other, { host })).status, other).toBe(404);
  });

  test('refuses at the bucket what an unpatched MinIO lets in', async () => {
    const host = 's3.aima.test';
    const headers = { 'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER' };
    const answer = await proxy.ask('/media/inbox/a', {
      host,
      method: 'PUT',
      headers,
      body: Buffer.from('x'),
    });
    expect(answer.status).toBe(403);
  });

  test('leads the live page to the broker', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/mqtt`, {
      headers: { host: `aima.test:${proxy.port}` },
    });
    await once(socket, 'open');
    const echoed = once(socket, 'message');
    socket.send('ping');
    expect(String((await echoed)[0])).toBe('ping');
    socket.close();
  });
});
