import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BASIC, type GatewayProcess, startGatewayProcess } from './gateway-process.ts';

const TALK = `
console.log('loaded');
export default async (event) => {
  console.info('hello', { body: event.body.toString() });
  await new Promise((resolve) => setTimeout(resolve, 1));
  console.error('two\\nlines');
};`;

let gateway: GatewayProcess;
beforeAll(async () => {
  gateway = await startGatewayProcess({
    talk: {
      code: TALK,
      definition: {
        environment: { RAW_BODY: true, exec_timeout: '1s' },
        secrets: ['api-token'],
        labels: { tier: 1 },
        annotations: { topic: 'aima/jobs/queued' },
        limits: { memory: '128Mi' },
      },
    },
    silent: { code: 'export default () => {};' },
    counted: { code: 'export default () => {};' },
    missing: {},
  });
});
afterAll(() => gateway.stop());

const system = (path: string, options: RequestInit = {}) =>
  fetch(`${gateway.url}/system/${path}`, {
    ...options,
    headers: { authorization: BASIC, ...options.headers },
  });

async function json(path: string): Promise<unknown> {
  const response = await system(path);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  return response.json();
}

interface Line {
  name: string;
  timestamp: string;
  text: string;
}
async function logs(query: string): Promise<Line[]> {
  const response = await system(`logs?${query}`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/x-ndjson');
  const text = await response.text();
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

describe('authentication', () => {
  const wrong = [
    '',
    'Basic',
    'Basic !',
    `Bearer ${BASIC.slice(6)}`,
    `Basic ${btoa('admin:wrong')}`,
    `Basic ${btoa('admin')}`,
  ];
  test.each(wrong)('"%s" is refused', async (authorization) => {
    const response = await system('functions', { headers: { authorization } });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic /);
  });

  test('unknown addresses below /system/ tell nothing without it', async () => {
    expect((await fetch(`${gateway.url}/system/nope`)).status).toBe(401);
    expect((await system('nope')).status).toBe(404);
  });
});

describe('functions', () => {
  test('are listed with all that stack.yml says of them', async () => {
    const list = (await json('functions')) as Array<Record<string, unknown>>;
    expect(list.map((one) => one.name)).toEqual(['talk', 'silent', 'counted', 'missing']);
    expect(list[0]).toMatchObject({
      image: 'test/talk:1',
      namespace: 'openfaas-fn',
      envVars: { RAW_BODY: 'true', exec_timeout: '1s' },
      secrets: ['api-token'],
      labels: { tier: '1' },
      annotations: { topic: 'aima/jobs/queued' },
      limits: { memory: '128Mi' },
      replicas: 1,
      availableReplicas: 1,
    });
    expect(Number.isNaN(Date.parse(list[0]!.createdAt as string))).toBe(false);
    expect(list[3]).toMatchObject({ replicas: 0, availableReplicas: 0 });
  });

  test('are described, also with the namespace', async () => {
    expect(await json('function/silent?usage=1')).toMatchObject({ name: 'silent' });
    expect(await json('function/silent.openfaas-fn?namespace=openfaas-fn')).toMatchObject({ name: 'silent' });
    expect((await system('function/nope')).status).toBe(404);
    expect((await system('functions?namespace=other')).status).toBe(400);
  });

  test('count their invocations', async () => {
    await fetch(`${gateway.url}/function/counted`);
    await fetch(`${gateway.url}/function/counted.openfaas-fn`);
    expect(await json('function/counted')).toMatchObject({ invocationCount: 2 });
  });

  test.each(['POST', 'PUT', 'DELETE'])('cannot be changed with %s', async (method) => {
    const response = await system('functions', { method, body: '{"service":"x","image":"y"}' });
    expect(response.status).toBe(501);
    expect(await response.text()).toContain('stack.yml');
  });

  test('have one replica: more changes nothing, none is refused', async () => {
    const scale = (name: string, body: string) => system(`scale-function/${name}`, { method: 'POST', body });
    expect((await scale('silent', '{"serviceName":"silent","replicas":3}')).status).toBe(200);
    expect((await scale('silent', '{"serviceName":"silent","replicas":0}')).status).toBe(400);
    expect((await scale('nope', '{"serviceName":"nope","replicas":1}')).status).toBe(404);
    expect((await scale('silent', 'nonsense')).status).toBe(400);
    expect((await scale('silent', 'x'.repeat(70_000))).status).toBe(413);
  });
});

test('secrets: their names, never their values', async () => {
  expect(await json('secrets')).toEqual([
    { name: 'basic-auth-password', namespace: 'openfaas-fn' },
    { name: 'basic-auth-user', namespace: 'openfaas-fn' },
  ]);
  expect((await system('secrets', { method: 'POST', body: '{}' })).status).toBe(501);
});

test('info and namespaces', async () => {
  expect(await json('info')).toMatchObject({
    provider: { provider: 'aima-embedded', version: { release: expect.stringMatching(/^\d/) } },
    version: { release: expect.stringMatching(/^\d/) },
  });
  expect(await json('namespaces')).toEqual(['openfaas-fn']);
});

describe('logs', () => {
  test('hold what a function printed, while loading and in calls, and each call', async () => {
    await fetch(`${gateway.url}/function/talk/p?token=hidden`, { method: 'POST', body: 'x' });
    const lines = await logs('name=talk');
    const texts = lines.map((line) => line.text);
    expect(texts).toEqual(expect.arrayContaining(['loaded', "hello { body: 'x' }", 'two', 'lines']));
    expect(texts.some((text) => /^POST \/p - 200 OK - ContentLength: 0B \(0\.\d+s\)/.test(text))).toBe(true);
    expect(texts.join()).not.toContain('hidden');
    expect(lines[0]).toMatchObject({ name: 'talk', namespace: 'openfaas-fn', instance: 'talk' });
  });

  test('belong to the function that printed', async () => {
    await fetch(`${gateway.url}/function/silent`);
    expect((await logs('name=silent')).map((line) => line.text).join()).not.toContain('hello');
  });

  test('tail and since', async () => {
    await fetch(`${gateway.url}/function/talk`, { method: 'POST', body: 'last' });
    expect(await logs('name=talk&tail=2')).toHaveLength(2);
    expect(await logs('name=talk&since=2999-01-01T00:00:00Z')).toEqual([]);
    const { timestamp } = (await logs('name=talk&tail=1'))[0]!;
    expect((await logs(`name=talk&since=${timestamp}`)).length).toBeGreaterThan(0);
  });

  test('keep the last thousand lines', async () => {
    for (let i = 0; i < 1_010; i += 1) await fetch(`${gateway.url}/function/counted/n${i}`);
    const lines = await logs('name=counted');
    expect(lines).toHaveLength(1_000);
    expect(lines[0]!.text).toContain('/n10 ');
    expect(lines.at(-1)!.text).toContain('/n1009 ');
  });

  test('follow: lines come as they are printed, until the reader goes', async () => {
    const request = get(`${gateway.url}/system/logs?name=silent&follow=1&tail=1`, {
      headers: { authorization: BASIC },
    });
    const [stream] = (await once(request, 'response')) as [IncomingMessage];
    const until = async (word: string) => {
      for await (const chunk of stream.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
        if (String(chunk).includes(word)) return;
      }
      throw new Error('the stream ended');
    };
    await fetch(`${gateway.url}/function/silent/followed`);
    await until('/followed');
    request.destroy();
    expect((await fetch(`${gateway.url}/function/silent`)).status).toBe(200);
  });

  test('nonsense is refused', async () => {
    expect((await system('logs?name=nope')).status).toBe(404);
    expect((await system('logs')).status).toBe(404);
    expect((await system('logs?name=talk&since=yesterday')).status).toBe(422);
    expect((await system('logs?name=talk&tail=many')).status).toBe(422);
  });
});
