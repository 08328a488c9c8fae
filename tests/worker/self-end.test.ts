import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endMachine } from '../../gpu-worker/lease/self-end.ts';

interface Heard {
  method: string;
  path: string;
  authorization: string | undefined;
  agent: string | undefined;
  body: string;
}

/** A provider's API: keeps what it heard, and answers by `answer`. */
let server: Server;
let heard: Heard[];
let answer: (request: Heard) => { status: number; body?: string };
let url: string;
let dir: string;

beforeEach(async () => {
  heard = [];
  answer = () => ({ status: 204 });
  server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const { method = '', url: path = '', headers } = request;
    const one = { method, path, authorization: headers.authorization, agent: headers['user-agent'], body };
    heard.push(one);
    const { status, body: text } = answer(one);
    response.writeHead(status).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  dir = await mkdtemp(join(tmpdir(), 'aima-self-end-'));
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true });
});

const key = 'rpa_SECRET';
const runpod = () => ({
  AIMA_PROVIDER: 'runpod-pods',
  AIMA_PROVIDER_URL: url,
  RUNPOD_POD_ID: 'pod 1',
  RUNPOD_API_KEY: key,
  PATH: dir,
});

/**
 * Runs until `enough`, or until it returns. Where nobody kills it, as here, it goes on for ever.
 * @returns what was logged, and whether it returned.
 */
async function run(env: Record<string, string>, enough: () => boolean | Promise<boolean>) {
  const lines: string[] = [];
  let hasReturned = false;
  void endMachine(env, { log: (line) => lines.push(line), heardPauseMs: 5, firstPauseMs: 5 }).then(() => {
    hasReturned = true;
  });
  while (!hasReturned && !(await enough())) await new Promise((resolve) => setTimeout(resolve, 5));
  return { lines, hasReturned };
}

describe('a machine ends itself', () => {
  it('on RunPod by deleting its pod with the key that the provider put there', async () => {
    const { lines, hasReturned } = await run(runpod(), () => heard.length > 0);
    expect(heard[0]).toMatchObject({
      method: 'DELETE',
      path: '/v2/pods/pod%201',
      authorization: `Bearer ${key}`,
    });
    expect(heard[0]!.agent).toMatch(/^aima-idle-mode\//);
    expect(hasReturned).toBe(false);
    expect(lines.join('\n')).not.toContain(key);
  });

  it('on RunPod by every way in turn, again and again, while it is still alive', async () => {
    await writeFile(join(dir, 'runpodctl'), `#!/bin/sh\necho "$@" >> "${dir}/asked"\n/bin/false\n`);
    await chmod(join(dir, 'runpodctl'), 0o755);
    answer = ({ path }) =>
      path === '/graphql'
        ? { status: 200, body: '{"errors":[{"message":"pod not found to terminate"}]}' }
        : { status: 403, body: 'forbidden' };
    const { lines, hasReturned } = await run(runpod(), () => heard.length >= 6);
    expect(hasReturned).toBe(false);
    const [first, second, ...rest] = heard.map(({ path }) => path);
    expect([first, second]).toEqual(['/v2/pods/pod%201', '/graphql']);
    expect(rest.slice(0, 4)).toEqual([first, second, first, second]);
    expect(JSON.parse(heard[1]!.body)).toMatchObject({ variables: { podId: 'pod 1' } });
    expect(heard[1]!.authorization).toBe(`Bearer ${key}`);
    expect((await readFile(join(dir, 'asked'), 'utf8')).split('\n')[0]).toBe('remove pod pod 1');
    expect(lines).toContain('ending this machine by RunPod REST: HTTP 403 forbidden');
    expect(lines.some((line) => line.includes('GraphQL: {"errors"'))).toBe(true);
  });

  it('on RunPod where the API cannot be reached and the program is missing: it goes on trying', async () => {
    const lines: string[] = [];
    const env = { ...runpod(), AIMA_PROVIDER_URL: 'http://127.0.0.1:1' };
    void endMachine(env, { log: (line) => lines.push(line), heardPauseMs: 5, firstPauseMs: 5 });
    while (lines.length < 7) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(lines).toContain('ending this machine by runpodctl: there is no such program');
    expect(lines.join('\n')).not.toContain(key);
  });

  it('on Vast by destroying its own contract', async () => {
    const env = {
      AIMA_PROVIDER: 'vast',
      AIMA_PROVIDER_URL: `${url}/`,
      CONTAINER_ID: '4711',
      CONTAINER_API_KEY: key,
    };
    answer = () => ({ status: heard.length < 2 ? 429 : 200, body: 'API requests too frequent' });
    const { lines, hasReturned } = await run(env, () => heard.length >= 3);
    expect(hasReturned).toBe(false);
    expect(heard[0]).toMatchObject({
      method: 'DELETE',
      path: '/api/v0/instances/4711/',
      authorization: `Bearer ${key}`,
    });
    expect(lines).toContain('ending this machine by Vast REST: HTTP 429 API requests too frequent');
    expect(lines).toContain('ending this machine by Vast REST: heard');
  });

  it('says what its provider did not put there, and does not give up for it', async () => {
    const lines: string[] = [];
    const env = { AIMA_PROVIDER: 'vast', AIMA_PROVIDER_URL: url, CONTAINER_ID: '1' };
    void endMachine(env, { log: (line) => lines.push(line), firstPauseMs: 5 });
    while (lines.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(new Set(lines)).toEqual(
      new Set(['ending this machine by Vast REST: CONTAINER_API_KEY is not set']),
    );
    expect(heard).toEqual([]);
  });

  it.each(['shadeform', 'salad', 'runpod-serverless', 'ssh', 'local', undefined])(
    'by exiting where that is all it takes: %s',
    async (provider) => {
      const env = { ...(provider ? { AIMA_PROVIDER: provider } : {}), AIMA_PROVIDER_URL: url };
      expect(await run(env, () => false)).toEqual({ lines: [], hasReturned: true });
      expect(heard).toEqual([]);
    },
  );
});
