/** The running system, driven with every token and broken on purpose: its logs are structured, and have no secret in them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { webhookToken } from '../../functions/core/providers/runpod-serverless/webhook.ts';
import { type Stack, startStack } from '../stack/start-stack.ts';

const metricsToken = 'metrics-token-of-the-tests-0123456789';
let stack: Stack;
const secrets = new Map<string, string>();
const signed: string[] = [];

beforeAll(async () => {
  stack = await startStack({
    secrets: {
      'metrics-token': metricsToken,
      'alert-urls':
        'smtp://me:mail-password-of-tests@127.0.0.1:9/?from=a@b.c&to=d@e.f\nnonsense-with-a-secret-in-it',
    },
  });
  for (const name of await readdir(join(stack.dataDir, 'secrets'))) {
    const value = await stack.secret(name);
    // Shorter ones are names: admin, the owner's six letters.
    if (value.length >= 16 && !value.includes('\n')) secrets.set(name, value);
  }
  secrets
    .set('alert-urls', 'mail-password-of-tests')
    .set('alert-urls, line 2', 'nonsense-with-a-secret-in-it');
});
afterAll(() => stack.remove());

const ask = (path: string, options: RequestInit & { token?: string } = {}) =>
  fetch(`${stack.gatewayUrl}/function/${path}`, {
    ...options,
    headers: {
      'content-type': 'application/json',
      'x-call-id': 'the-call-of-the-test',
      ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
    },
  });

async function logs(): Promise<Map<string, string>> {
  const folder = join(stack.dataDir, 'logs');
  const files = await readdir(folder);
  return new Map(
    await Promise.all(files.map(async (file) => [file, await readFile(join(folder, file), 'utf8')] as const)),
  );
}

it('is driven with all of them', async () => {
  const token = stack.apiToken;
  const instanceId = '0'.repeat(26);
  const submitted = await ask('submit-job', {
    method: 'POST',
    token,
    body: JSON.stringify({ files: [{ name: 'a.wav', sizeBytes: 1000 }], analyses: ['scenes'] }),
  });
  const body = await submitted.text();
  expect(submitted.status, body).toBe(202);
  for (const [address] of body.matchAll(/X-Amz-Signature=([0-9a-f]+)/g)) signed.push(address.split('=')[1]!);
  expect(signed.length).toBeGreaterThan(0);
  for (const path of [
    'jobs',
    'jobs/metrics',
    'jobs/health',
    'orchestrate',
    'orchestrate/alerts',
    `jobs/${instanceId}`,
  ])
    for (const one of [
      token,
      metricsToken,
      await stack.secret('connector-token'),
      'a-token-that-nobody-knows',
    ])
      expect((await ask(path, { token: one })).status).toBeLessThan(500);
  const webhook = webhookToken(await stack.secret('lease-key'), instanceId);
  secrets.set('the token of a serverless webhook', webhook);
  expect(
    (await ask(`terminate/serverless/${instanceId}/${webhook}`, { method: 'POST', body: '{}' })).status,
  ).toBe(200);
});

it('and broken: what fails is in the log of the functions, with the id of the call', async () => {
  const pid = await stack.pid('postgres');
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'))
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
  const all = [pid, ...children];
  for (const one of all) process.kill(one, 'SIGSTOP');
  try {
    expect((await ask('jobs/metrics', { token: metricsToken })).status).toBeGreaterThanOrEqual(503);
    // What was found out a moment before is told for five seconds.
    let health = await ask('jobs/health', { token: metricsToken });
    while (health.status === 200) health = await ask('jobs/health', { token: metricsToken });
    expect(health.status).toBe(503);
    expect(await health.json()).toMatchObject({
      status: 'broken',
      findings: [{ part: 'database', severity: 'critical' }],
    });
  } finally {
    for (const one of all) process.kill(one, 'SIGCONT');
  }
  await stack.kill('broker');
  const failed = async () =>
    (await logs())
      .get('functions.log')!
      .split('\n')
      .filter((line) => line.includes('the-call-of-the-test'));
  while ((await failed()).length < 2) await sleep(100);
  for (const line of await failed())
    expect(JSON.parse(line)).toMatchObject({
      level: expect.any(String),
      function: expect.any(String),
      callId: 'the-call-of-the-test',
    });
});

it('leaves no secret in any log, and every line of the functions and the connector is JSON', async () => {
  const all = await logs();
  expect([...all.keys()]).toEqual(expect.arrayContaining(['functions.log', 'connector.log', 'postgres.log']));
  for (const [file, text] of [...all, ['the terminal', stack.output()] as const]) {
    for (const [name, value] of secrets) {
      // The terminal shows the first token on purpose, for the first call.
      if (file === 'the terminal' && name === 'api-token') continue;
      expect(text.includes(value), `${name} in ${file}`).toBe(false);
    }
    for (const signature of signed)
      expect(text.includes(signature), `a signed address in ${file}`).toBe(false);
  }
  const lines = ['functions.log', 'connector.log'].flatMap((file) =>
    all.get(file)!.split('\n').filter(Boolean),
  );
  const plain = lines.filter((line) => !line.startsWith('{') && !line.startsWith('gateway: ready'));
  expect(plain).toEqual([]);
  for (const line of lines.filter((one) => one.startsWith('{')))
    expect(JSON.parse(line)).toMatchObject({
      at: expect.any(String),
      level: expect.any(String),
      message: expect.any(String),
    });
});
