/**
 * The functions as containers have them: each built and in a process of its own, in a stand-in for the
 * template's server; and the connector's bundle. Against the rest of an embedded system.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readStack } from '../../../infra/embedded/gateway/stack.ts';
import { startFunction } from '../../../tests/real/function-process.ts';
import type { Stack } from '../../../tests/stack/start-stack.ts';
import { build } from '../../build/build.ts';
import { type Usage, usage } from './memory.ts';

export interface FunctionsIdle {
  /** By function; and of the connector. */
  memory: Record<string, Usage>;
  /** From the start of the process until it answers its first request. */
  coldStartMs: Record<string, number>;
  bundleKbMax: number;
}

const stackFile = fileURLToPath(new URL('../../../stack.yml', import.meta.url));

/** Garbage of the start is collected in the meantime. */
const settleMs = 15_000;

export async function functionsIdle(stack: Stack): Promise<FunctionsIdle> {
  const dir = await mkdtemp(join(tmpdir(), 'aima-idle-'));
  const { functions } = await build(join(dir, 'dist'));
  const running = [];
  const connector = spawn(process.execPath, [join(dir, 'dist/services/connector.mjs')], {
    env: { ...stack.env, AIMA_DATA_DIR: dir },
    stdio: 'ignore',
  });
  try {
    // One after the other: a cold start that shares its core with four others says nothing.
    for (const { name, environment } of await readStack(stackFile, {})) {
      const process = await startFunction({
        dir: join(dir, 'dist/functions', name),
        environment: { ...environment, ...stack.env },
      });
      running.push({ name, process });
    }
    await Promise.all(running.map(({ name, process }) => callOnce(name, process.url, stack)));
    await sleep(settleMs);
    const pids = [
      ...running.map(({ name, process }) => ({ name, pid: process.pid })),
      { name: 'connector', pid: connector.pid! },
    ];
    const memory = pids.map(async ({ name, pid }) => [name, await usage(pid)] as const);
    return {
      memory: Object.fromEntries(await Promise.all(memory)),
      coldStartMs: Object.fromEntries(running.map(({ name, process }) => [name, process.coldStartMs])),
      bundleKbMax: Math.max(...functions.map(({ kb }) => kb)),
    };
  } finally {
    connector.kill();
    await Promise.all(running.map(({ process }) => process.stop()));
    await rm(dir, { recursive: true, force: true });
  }
}

/** So that what a function opens at its first call is open: database, broker, bucket. */
async function callOnce(name: string, url: string, stack: Stack): Promise<void> {
  const isRead = name === 'jobs';
  const token = isRead ? stack.apiToken : await stack.secret('connector-token');
  const response = await fetch(url, {
    method: isRead ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'x-topic': 'cron-function',
    },
    ...(!isRead && { body: '{}' }),
  });
  await response.arrayBuffer();
}
