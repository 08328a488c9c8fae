import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLock } from '../../infra/embedded/supervisor/lock.ts';
import { identify, waitUntilGone } from '../../infra/embedded/supervisor/processes.ts';
import { type ServiceName, type Stack, startStack } from '../stack/start-stack.ts';

const SERVICES: ServiceName[] = ['postgres', 'broker', 'objects', 'functions', 'connector'];
const project = join(import.meta.dirname, '..', '..');

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.remove());

/** Runs `npm start` (its script) to its end. */
async function start(env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [join(project, 'scripts', 'start.ts'), '--no-models'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, output };
}

async function sql<Row>(url: string, statement: string): Promise<Row[]> {
  const connection = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    return await connection.unsafe<Row[] & object[]>(statement);
  } finally {
    await connection.end();
  }
}

/** Asks again until it is so; the test's own time limit ends it. */
async function eventually(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await sleep(100);
}

const isHealthy = async () => (await fetch(`${stack.gatewayUrl}/healthz`)).ok;

describe('npm start', () => {
  it('brings up the whole system and tells how to use it', async () => {
    expect(await isHealthy()).toBe(true);
    expect(await sql(stack.databaseUrl, 'select current_user as me')).toEqual([{ me: 'aima_functions' }]);
    for (const address of [
      stack.gatewayUrl,
      stack.s3Endpoint,
      stack.mqttUrl,
      stack.dataDir,
      stack.apiToken,
    ]) {
      expect(stack.output()).toContain(address);
    }
    expect(stack.output()).toContain('npm run analyze -- talk.mp4 photo.jpg');
    for (const name of SERVICES) expect(stack.output()).toMatch(new RegExp(`${name} +ready after`));
    const objects = await fetch(`${stack.s3Endpoint}/${stack.bucket}`);
    expect(objects.status).toBe(403);
  });

  it('says plainly that it runs already, and where', async () => {
    const { code, output } = await start({ AIMA_DATA_DIR: stack.dataDir });
    expect(code).toBe(1);
    expect(output).toContain(`it runs already, as process ${await stack.pid('supervisor')}`);
    expect(output).toContain(stack.gatewayUrl);
    expect(await isHealthy()).toBe(true);
  });

  it('names a port that is taken, and its variable', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'aima-start-test-'));
    const port = new URL(stack.gatewayUrl).port;
    const { code, output } = await start({ AIMA_DATA_DIR: dataDir, AIMA_GATEWAY_PORT: port });
    await rm(dataDir, { recursive: true });
    expect(code).toBe(1);
    expect(output).toContain(
      `port ${port} is in use by another program: stop that, or set AIMA_GATEWAY_PORT`,
    );
  });

  it.each(SERVICES)('starts %s again after kill -9', async (name) => {
    const before = await stack.pid(name);
    await stack.kill(name);
    await eventually(async () => (await stack.pid(name)) !== before && (await isHealthy()));
  });

  it('goes on after kill -9 of itself, and leaves no process of the first run behind', async () => {
    await sql(stack.superuserUrl, 'create table kept (n int); insert into kept values (5)');
    const before = await Promise.all(SERVICES.map(async (name) => identify(await stack.pid(name))));
    await stack.kill('supervisor');
    await stack.startAgain();
    for (const identity of before) expect(await waitUntilGone(identity!, 0)).toBe(true);
    expect(await sql(stack.superuserUrl, 'select n from kept')).toEqual([{ n: 5 }]);
    expect(await isHealthy()).toBe(true);
  });

  it('stops in reverse order and gives the data folder free', async () => {
    const before = await Promise.all(SERVICES.map(async (name) => identify(await stack.pid(name))));
    await stack.stop();
    const stops = [...stack.output().matchAll(/^ {2}(\w+) +stops$/gm)].map((match) => match[1]);
    expect(stops).toEqual(SERVICES.toReversed());
    expect(stack.output()).toContain('AIMA has stopped.');
    for (const identity of before) expect(await waitUntilGone(identity!, 0)).toBe(true);
    expect(await readLock(stack.dataDir)).toBeUndefined();
  });

  it('says that the database was made with another password', async () => {
    const path = join(stack.dataDir, 'secrets', 'postgres-password');
    const old = await readFile(path, 'utf8');
    await writeFile(path, 'another');
    await expect(stack.startAgain()).rejects.toThrow(/postgres does not start: .*put the old file back/);
    await writeFile(path, old);
    await stack.startAgain();
  });
});
