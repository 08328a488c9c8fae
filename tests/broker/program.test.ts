import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openWorkerLogin } from '../../functions/core/events/logins.ts';
import { baseLogins, closeClients, connectAs, removeDir, temporaryDir } from './brokers.ts';

const program = fileURLToPath(new URL('../../infra/embedded/broker/main.ts', import.meta.url));
const readySchema = z.object({ type: z.literal('ready'), port: z.int(), wsPort: z.int() });

describe('the broker as a program', () => {
  let dir: string;
  const children = new Set<ChildProcess>();

  beforeEach(async () => {
    dir = await temporaryDir();
    await mkdir(join(dir, 'secrets'), { mode: 0o700 });
    for (const { username, password } of baseLogins) {
      await writeFile(join(dir, 'secrets', `mqtt-${username}-password`), `${password}\n`, { mode: 0o600 });
    }
  });
  afterEach(async () => {
    for (const child of children) child.kill('SIGKILL');
    children.clear();
    await closeClients();
    await removeDir(dir);
  });

  async function start(): Promise<{ child: ChildProcess; url: string; wsUrl: string }> {
    const env = { ...process.env, AIMA_DATA_DIR: dir, AIMA_MQTT_PORT: '0', AIMA_MQTT_WS_PORT: '0' };
    const child = fork(program, { env, silent: true });
    children.add(child);
    const [message] = await once(child, 'message');
    const { port, wsPort } = readySchema.parse(message);
    return { child, url: `mqtt://127.0.0.1:${port}`, wsUrl: `ws://127.0.0.1:${wsPort}` };
  }

  it('serves both ports and leaves on SIGTERM', async () => {
    const { child, url, wsUrl } = await start();
    await connectAs(url, 'functions', 'functions-secret');
    await connectAs(wsUrl, 'connector', 'connector-secret');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('killed, it comes back with every login that it had answered for', async () => {
    const first = await start();
    const functions = await connectAs(first.url, 'functions', 'functions-secret');
    await openWorkerLogin(functions, { instanceId: 'W', password: 'worker-secret' });
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const second = await start();
    await connectAs(second.url, 'worker-W', 'worker-secret', { clientId: 'worker-W' });
  });
});
