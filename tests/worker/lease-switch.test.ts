/** The real worker program against a real Postgres: whatever becomes of it, its machine is ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, connect as dial, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scramVerifier } from '../../functions/core/instances/credentials.ts';
import { openServer } from '../../gpu-worker/lease/server.ts';
import { type FreshDatabase, freshDatabase, insertInstance } from '../database/fresh.ts';

const program = join(import.meta.dirname, '..', '..', 'gpu-worker', 'main.ts');
const preload = (name: string) => `--import=${import.meta.resolve(`./preload/${name}.ts`)}`;
const key = 'key-of-this-container';

let database: FreshDatabase;
let dir: string;
beforeAll(async () => {
  database = await freshDatabase();
  dir = await mkdtemp(join(tmpdir(), 'aima-switch-'));
});
const running: ChildProcess[] = [];
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await database.close();
  await rm(dir, { recursive: true });
});

interface Machine {
  instanceId: string;
  child: ChildProcess;
  output(): string;
  /** Resolves when the program has ended. */
  exited: Promise<void>;
  /** What it asked its provider for: the provider ends it when it hears that. */
  asked: string[];
}

/** A machine at a provider as Vast is one: it lives on, whatever its program does, until it is destroyed. */
async function rent(
  env: Record<string, string> = {},
  { state = 'booting', route = (url: string) => url } = {},
): Promise<Machine> {
  const instanceId = await insertInstance(database.functions, state);
  if (state === 'booting') {
    await database.functions`
      select open_worker_login(${instanceId}, ${scramVerifier('secret')}, now() + interval '1 hour')`;
  }
  const asked: string[] = [];
  const provider = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.end('{"success":true}');
    child.kill('SIGKILL');
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const child = spawn(process.execPath, [program], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      AIMA_INSTANCE_ID: instanceId,
      AIMA_DATABASE_URL: route(database.url(`aima_worker_${instanceId}`, 'secret')),
      AIMA_MQTT_URL: 'mqtt://127.0.0.1:1', // there is none, which ends nobody
      AIMA_PROVIDER: 'vast',
      AIMA_PROVIDER_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}`,
      CONTAINER_ID: '17',
      CONTAINER_API_KEY: key,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      provider.close();
      resolve();
    }),
  );
  return { instanceId, child, output: () => output, exited, asked };
}

const destroyed = [`DELETE /api/v0/instances/17/ Bearer ${key}`];

async function row(instanceId: string) {
  const [found] = await database.functions`select * from instances where instance_id = ${instanceId}`;
  return found!;
}

async function untilState(instanceId: string, state: string): Promise<void> {
  while ((await row(instanceId)).state !== state) await sleep(20);
}

/** The worker process proper, the child of the program that watches it. */
async function workerPid(machine: Machine): Promise<number> {
  for (;;) {
    const children = await readFile(`/proc/${machine.child.pid}/task/${machine.child.pid}/children`, 'utf8');
    const pid = Number(children.trim().split(' ')[0]);
    if (pid) return pid;
    await sleep(20);
  }
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ' Z ');
  return !/\) [ZX] /.test(stat) && stat !== ' Z ';
}

/** What stands between a machine and Postgres: it can be cut. */
async function network() {
  const { hostname, port } = new URL(database.url('', ''));
  const sockets = new Set<Socket>();
  const server = createTcpServer((inner) => {
    const outer = dial(Number(port), hostname);
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        inner.destroy();
        outer.destroy();
      });
    }
    inner.pipe(outer).pipe(inner);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe.concurrent('a worker', () => {
  it('says at once that it begins, where it is, and then what device it found', async () => {
    const machine = await rent();
    await untilState(machine.instanceId, 'ready');
    const { startedAt, starts, worker } = await row(machine.instanceId);
    expect(startedAt).not.toBeNull();
    expect(starts).toBe(1);
    expect(worker).toMatchObject({ provider: 'vast', providerInstanceId: '17', device: 'cpu' });
  });

  it('that finds nothing to do leaves, and its machine is ended', async () => {
    const machine = await rent({ AIMA_IDLE_SECONDS: '0.2' });
    await machine.exited;
    expect(await row(machine.instanceId)).toMatchObject({ state: 'terminating', reason: 'worker_left' });
    expect(machine.asked).toEqual(destroyed);
    expect(machine.output()).not.toContain(key);
  });

  it('just exits where that ends the machine', async () => {
    const machine = await rent({ AIMA_IDLE_SECONDS: '0.2', AIMA_PROVIDER: 'salad' });
    await machine.exited;
    expect(machine.child.exitCode).toBe(0);
    expect(machine.asked).toEqual([]);
  });

  it('that is told to end leaves first', async () => {
    const machine = await rent({ AIMA_PROVIDER: 'local' });
    await untilState(machine.instanceId, 'ready');
    machine.child.kill('SIGTERM');
    await machine.exited;
    expect(machine.child.exitCode).toBe(0);
    expect(await row(machine.instanceId)).toMatchObject({ state: 'terminating', reason: 'worker_left' });
  });

  it('that is told to end and hangs is killed', async () => {
    const machine = await rent({ AIMA_PROVIDER: 'local', NODE_OPTIONS: preload('hang') });
    await untilState(machine.instanceId, 'ready');
    const pid = await workerPid(machine);
    process.kill(pid, 'SIGUSR2');
    machine.child.kill('SIGTERM');
    await machine.exited;
    expect(machine.output()).toContain('the worker is killed: it was told to end');
    expect(await isAlive(pid)).toBe(false);
  });

  it('ends when its lease does, although its own clock is wrong', async () => {
    const env = { NODE_OPTIONS: preload('wrong-clock') };
    const machine = await rent(env);
    await untilState(machine.instanceId, 'ready');
    await database.functions`
      update instances set deadline_at = now() + interval '2 s' where instance_id = ${machine.instanceId}`;
    const pid = await workerPid(machine);
    await machine.exited;
    expect(machine.output()).toContain('the worker ends: it reached the end of its lease');
    // It could still say so.
    expect(await row(machine.instanceId)).toMatchObject({ state: 'terminating', reason: 'worker_left' });
    expect(machine.asked).toEqual(destroyed);
    expect(await isAlive(pid)).toBe(false);
  });

  it('ends after the lifetime that it was given, where it never reached the server', async () => {
    const nowhere = { AIMA_DATABASE_URL: 'postgres://x:x@127.0.0.1:1/aima' };
    const machine = await rent({ ...nowhere, AIMA_MAX_LIFETIME_SECONDS: '1' });
    await machine.exited;
    expect(machine.output()).toContain('it reached the end of its lease');
    expect(machine.asked).toEqual(destroyed);
  });

  it('does not wait for ever for a server that it never reached', async () => {
    const nowhere = { AIMA_DATABASE_URL: 'postgres://x:x@127.0.0.1:1/aima' };
    const machine = await rent({ ...nowhere, AIMA_BOOT_PATIENCE_SECONDS: '1' });
    await machine.exited;
    expect(machine.output()).toContain('it could not reach the server');
    expect(machine.asked).toEqual(destroyed);
  });

  it('that lost contact with Postgres ends', async () => {
    const { port, cut } = await network();
    const route = (url: string) => url.replace(/:\d+\//, `:${port}/`);
    const machine = await rent({ AIMA_LOST_CONTACT_SECONDS: '4' }, { route });
    await untilState(machine.instanceId, 'ready');
    cut();
    await machine.exited;
    expect(machine.output()).toContain('it lost contact with the server');
    expect(machine.asked).toEqual(destroyed);
  });

  it('whose event loop hangs is killed, and its machine is ended', async () => {
    const machine = await rent({ NODE_OPTIONS: preload('hang'), AIMA_LOST_CONTACT_SECONDS: '4' });
    await untilState(machine.instanceId, 'ready');
    const pid = await workerPid(machine);
    process.kill(pid, 'SIGUSR2');
    await machine.exited;
    expect(machine.output()).toContain('the worker is killed: it lost contact with the server');
    expect(machine.asked).toEqual(destroyed);
    expect(await isAlive(pid)).toBe(false);
  });

  it('that crashes leaves no machine behind', async () => {
    const machine = await rent();
    await untilState(machine.instanceId, 'ready');
    process.kill(await workerPid(machine), 'SIGKILL');
    await machine.exited;
    expect(machine.output()).toContain('the worker is gone: killed by SIGKILL');
    expect(machine.asked).toEqual(destroyed);
  });

  it('ends with the program that watches it', async () => {
    const machine = await rent();
    await untilState(machine.instanceId, 'ready');
    const pid = await workerPid(machine);
    machine.child.kill('SIGKILL');
    while (await isAlive(pid)) await sleep(20);
  });

  it('that the provider starts again after its lease was over ends its machine', async () => {
    const machine = await rent({}, { state: 'terminated' });
    await machine.exited;
    expect(machine.asked).toEqual(destroyed);
    expect((await row(machine.instanceId)).starts).toBe(0);
  });

  it('that another took the lease over from ends its own machine', async () => {
    const machine = await rent();
    await untilState(machine.instanceId, 'ready');
    const url = database.url(`aima_worker_${machine.instanceId}`, 'secret');
    const other = openServer(url, new AbortController().signal);
    await other.hello({ version: 'test' });
    await machine.exited;
    expect(machine.output()).toContain('another worker has taken this lease over');
    expect(machine.asked).toEqual(destroyed);
    expect((await row(machine.instanceId)).state).toBe('ready');
    await other.close();
  });
});

describe.concurrent('a machine that was rented for its GPU', () => {
  it('but has none says so and is ended before it claims anything', async () => {
    const machine = await rent({ AIMA_DEVICE: 'cuda', PATH: '/nowhere' });
    await machine.exited;
    const { state, reason, readyAt, worker } = await row(machine.instanceId);
    expect({ state, reason, readyAt }).toEqual({ state: 'terminating', reason: 'unfit', readyAt: null });
    expect(worker.unfit).toBe('There is no GPU: nvidia-smi is missing.');
    expect(machine.asked).toEqual(destroyed);
  });

  it('is ended too where no model can run on it: its CPU is not what is paid for', async () => {
    await writeFile(join(dir, 'nvidia-smi'), "#!/bin/sh\necho 'NVIDIA L4, 23034, 550.90.07'\n", {
      mode: 0o755,
    });
    const machine = await rent({ AIMA_DEVICE: 'cuda', PATH: dir });
    await machine.exited;
    const { state, reason, worker } = await row(machine.instanceId);
    expect({ state, reason }).toEqual({ state: 'terminating', reason: 'unfit' });
    expect(worker.unfit).toMatch(/^No model (can run on the GPU|runs on the device): /);
    expect(machine.asked).toEqual(destroyed);
  });
});
