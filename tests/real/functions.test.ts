/**
 * Every function as it is deployed: the bundle of `npm run build` under the template's contract, with the
 * environment and the secrets that stack.yml gives it and no others.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readStack, type StackFunction } from '../../infra/embedded/gateway/stack.ts';
import { ensureSecrets, type Secrets } from '../../infra/secrets/secrets.ts';
import { type FreshDatabase, freshDatabase, functionsPassword } from '../database/fresh.ts';
import { buildDist, type Dist } from './built.ts';
import { type FunctionProcess, startFunction } from './function-process.ts';
import { allHere } from './parts.ts';

interface Call {
  method: string;
  path: string;
  token: 'api-token' | 'connector-token';
  body?: object;
  topic?: string;
}

interface Example {
  name: string;
  call: Call;
  /** What comes of it. */
  status: number;
  /** The call that cannot be answered without the database, where it is another. */
  needsDatabase?: Call;
  /** A path that takes a body. */
  bodyPath: string;
}

const nobody = '0'.repeat(26);
const examples: Example[] = [
  {
    name: 'submit-job',
    call: { method: 'POST', path: '/', token: 'api-token', body: { name: 'a.wav' } },
    status: 202,
    bodyPath: '/',
  },
  {
    name: 'orchestrate',
    call: { method: 'GET', path: '/', token: 'api-token' },
    status: 200,
    bodyPath: '/',
  },
  {
    name: 'on-complete',
    call: { method: 'POST', path: '/', token: 'connector-token', body: {} },
    status: 204,
    bodyPath: '',
  },
  {
    name: 'terminate',
    call: { method: 'POST', path: '/', token: 'connector-token', body: {}, topic: 'cron-function' },
    status: 204,
    // A sweep goes on after whatever fails in it, and only its log says so.
    needsDatabase: { method: 'POST', path: '/', token: 'api-token', body: { instanceId: nobody } },
    bodyPath: '/',
  },
  {
    name: 'jobs',
    call: { method: 'GET', path: '/', token: 'api-token' },
    status: 200,
    bodyPath: `/${nobody}/retry`,
  },
];

const hosts = [
  { host: "the template's server", isWatched: false, here: true },
  { host: 'of-watchdog', isWatched: true, here: allHere('Functions under of-watchdog', 'of-watchdog') },
];

let dist: Dist;
let database: FreshDatabase;
let dir: string;
let secrets: Secrets;
let stack: StackFunction[];

beforeAll(async () => {
  [dist, database, dir] = await Promise.all([
    buildDist(),
    freshDatabase(),
    mkdtemp(join(tmpdir(), 'aima-functions-')),
  ]);
  secrets = await ensureSecrets(join(dir, 'all'));
  await writeFile(join(dir, 'all/database-password'), functionsPassword);
  stack = await readStack(join(dist.dir, 'stack.yml'), {
    AIMA_DATABASE_URL: database.url('aima_functions', ''),
    // Nobody is there: a bell that cannot be rung fails nothing.
    AIMA_MQTT_URL: 'mqtt://127.0.0.1:9',
    AIMA_S3_ENDPOINT: 'http://127.0.0.1:9',
    AIMA_S3_PUBLIC_ENDPOINT: 'http://127.0.0.1:9',
  });
});
afterAll(async () => {
  await Promise.all([dist?.remove(), database?.close()]);
  if (dir) await rm(dir, { recursive: true, force: true });
});

it('has an example of each function', () => {
  expect(examples.map(({ name }) => name)).toEqual(stack.map(({ name }) => name));
});

/** A folder with the secrets that the function is to have; those that nothing makes are empty. */
async function secretsOf({ name, secrets: names }: StackFunction): Promise<string> {
  const folder = join(dir, name);
  await mkdir(folder, { recursive: true });
  for (const secret of names)
    await copyFile(join(dir, 'all', secret), join(folder, secret)).catch(() =>
      writeFile(join(folder, secret), ''),
    );
  return folder;
}

describe.each(hosts)('in $host', ({ isWatched, here }) => {
  let running: FunctionProcess | undefined;
  afterEach(async () => {
    await running?.stop();
    running = undefined;
  });

  async function start(name: string, changed: Record<string, string> = {}): Promise<FunctionProcess> {
    const definition = stack.find((one) => one.name === name)!;
    const environment = {
      ...definition.environment,
      AIMA_SECRETS_DIR: await secretsOf(definition),
      ...changed,
    };
    running = await startFunction({ dir: dist.functionDir(name), environment, isWatched });
    return running;
  }
  function call(
    { url }: FunctionProcess,
    { method, path, token, body, topic }: Example['call'],
    raw?: string,
  ) {
    return fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${secrets[token]}`,
        ...(topic && { 'x-topic': topic }),
        ...(body || raw ? { 'content-type': 'application/json' } : {}),
      },
      ...(body || raw ? { body: raw ?? JSON.stringify(body) } : {}),
    });
  }
  async function problem(response: Response) {
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    return (await response.json()) as { status: number; code: string };
  }

  it.skipIf(!here).each(examples)('$name does its work, and says what it cannot', async (example) => {
    const { name, status, bodyPath } = example;
    const started = await start(name);
    console.log(`cold_start_ms ${name} ${started.coldStartMs}`);
    const answer = await call(started, example.call);
    expect(answer.status, started.output()).toBe(status);

    const stranger = await fetch(`${started.url}${example.call.path}`, { method: example.call.method });
    expect([stranger.status, await problem(stranger)]).toMatchObject([401, { code: 'unauthorized' }]);
    const nowhere = await fetch(`${started.url}/there/is/nothing/here`);
    expect([nowhere.status, await problem(nowhere)]).toMatchObject([404, { code: 'not_found' }]);
    if (bodyPath) {
      const malformed = await call(
        started,
        { method: 'POST', path: bodyPath, token: 'api-token' },
        '{"half": ',
      );
      expect([malformed.status, await problem(malformed)]).toMatchObject([400, { code: 'bad_request' }]);
    }
  });

  it.skipIf(!here).each(examples)('$name without its database fails with a 5xx', async (example) => {
    const broken = await start(example.name, {
      AIMA_DATABASE_URL: 'postgres://aima_functions@127.0.0.1:9/aima',
    });
    const answer = await call(broken, example.needsDatabase ?? example.call);
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect((await problem(answer)).status).toBe(answer.status);
    for (const secret of Object.values(secrets).filter((value) => value.length > 20))
      expect(broken.output()).not.toContain(secret);
  });
});
