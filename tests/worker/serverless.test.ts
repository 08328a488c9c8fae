/** The worker of a RunPod Serverless endpoint, at a simulated one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, inject, it, onTestFinished, vi } from 'vitest';
import { newId } from '../../functions/core/ids.ts';
import { scramVerifier } from '../../functions/core/instances/credentials.ts';
import { openQueue, type QueueJob, type Result } from '../../gpu-worker/serverless/queue.ts';
import { runLease } from '../../gpu-worker/serverless/run-lease.ts';
import { serve } from '../../gpu-worker/serverless/serve.ts';
import { freshDatabase, insertInstance } from '../database/fresh.ts';
import {
  type RunpodServerlessSimulator,
  startRunpodServerless,
} from '../providers/simulator/runpod-serverless.ts';

const entry = join(import.meta.dirname, '..', '..', 'gpu-worker', 'serverless.ts');
/** Where nobody listens, at a port that nobody may use. */
const nowhere = '127.0.0.1:1';

function leaseInput(environment: Record<string, string> = {}) {
  return {
    label: 'aima-tester-1',
    environment: {
      AIMA_INSTANCE_ID: newId(),
      AIMA_DATABASE_URL: `postgres://u:p@${nowhere}/aima`,
      AIMA_MQTT_URL: `mqtt://u:p@${nowhere}`,
      ...environment,
    },
  };
}

let simulator: RunpodServerlessSimulator;
/** What serves the queue must end before the queue does. */
const servers: (() => Promise<void>)[] = [];
beforeEach(async () => {
  simulator = await startRunpodServerless({ external: true });
  return async () => {
    for (const end of servers.splice(0)) await end();
    await simulator.close();
  };
});

const submit = (input: Record<string, unknown>) => simulator.jobs.submit({ input }, null).id;
const stateOf = (jobId: string) => simulator.jobs.stateOf(simulator.jobs.find(jobId)!);
const errorOf = (jobId: string) => JSON.parse(simulator.jobs.find(jobId)!.error!).error_message as string;
const sent = (path: string) => simulator.requests.filter((one) => one.path.includes(path));

/** A program that stands for the worker, in a folder of its own. */
async function programOf(source: string): Promise<{ program: string; folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'aima-serverless-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const program = join(folder, 'program.mjs');
  await writeFile(program, source);
  return { program, folder };
}

/** Serves the queue in this process until the test ends. */
function serveQueue(work: (job: QueueJob, signal: AbortSignal) => Promise<Result>): void {
  const life = new AbortController();
  const queue = openQueue({ ...simulator.workerEnvironment('w1'), RUNPOD_PING_INTERVAL: '250' });
  const served = serve(queue, work, life.signal);
  servers.push(() => {
    life.abort();
    return served;
  });
}

const runs =
  (program: string, env: NodeJS.ProcessEnv = process.env) =>
  (job: QueueJob, signal: AbortSignal) =>
    runLease(program, job, env, signal);

function startEntry(): ChildProcess {
  const child = spawn(process.execPath, [entry], {
    env: { ...process.env, ...simulator.workerEnvironment('w1') },
    stdio: 'ignore',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

describe('the worker of a serverless endpoint', () => {
  it('runs the lease in a job and says when it is over', async () => {
    const { program } = await programOf('setTimeout(() => {}, 300)');
    serveQueue(runs(program));
    const jobId = submit(leaseInput());
    await expect.poll(() => stateOf(jobId), { timeout: 10_000 }).toBe('COMPLETED');
    expect(simulator.jobs.find(jobId)!.output).toEqual({ ranMs: expect.any(Number) });
    const [first] = sent('/job-take/');
    expect(first!.headers.authorization).toBe(simulator.workerEnvironment('w1').RUNPOD_AI_API_KEY);
    expect(first!.query.get('job_in_progress')).toBe('0');
  });

  it('ends at once with a lease that is over already', async () => {
    // The login of a lease goes with it (28P01).
    const database = new URL(inject('postgresUrl'));
    const input = leaseInput();
    database.username = `aima_worker_${input.environment.AIMA_INSTANCE_ID}`;
    database.password = 'of-a-lease-that-is-over';
    startEntry();
    const jobId = submit({
      ...input,
      environment: { ...input.environment, AIMA_DATABASE_URL: database.href },
    });
    await expect.poll(() => stateOf(jobId), { timeout: 30_000 }).toBe('COMPLETED');
  });

  it('carries a lease from its first word to its last, which it has when RunPod stops the job', async () => {
    const database = await freshDatabase();
    onTestFinished(() => database.close());
    const instanceId = await insertInstance(database.admin);
    const verifier = scramVerifier('of-this-lease');
    const until = new Date(Date.now() + 3_600_000);
    await database.functions`select open_worker_login(${instanceId}, ${verifier}, ${until})`;
    startEntry();
    const url = database.url(`aima_worker_${instanceId}`, 'of-this-lease');
    const jobId = submit(leaseInput({ AIMA_INSTANCE_ID: instanceId, AIMA_DATABASE_URL: url }));
    const lease = async () => {
      const [row] = await database.admin<{ state: string; hintedId: string }[]>`
        select state, worker ->> 'providerInstanceId' as hinted_id from instances where instance_id = ${instanceId}`;
      return row!;
    };
    await expect.poll(lease, { timeout: 30_000 }).toEqual({ state: 'ready', hintedId: jobId });
    simulator.jobs.finish(simulator.jobs.find(jobId)!, 'CANCELLED');
    await expect.poll(lease, { timeout: 15_000 }).toMatchObject({ state: 'terminating' });
  });

  it('says so when the worker crashes, and takes the next job', async () => {
    const { program } = await programOf('process.kill(process.pid, "SIGSEGV"); setTimeout(() => {}, 60_000)');
    serveQueue(runs(program));
    const jobs = [submit(leaseInput()), submit(leaseInput())];
    for (const jobId of jobs) {
      await expect.poll(() => stateOf(jobId), { timeout: 15_000 }).toBe('FAILED');
      expect(errorOf(jobId)).toContain('SIGSEGV');
    }
  });

  it('takes nothing for a lease that is none', async () => {
    const { program } = await programOf('setTimeout(() => {}, 60_000)');
    serveQueue(runs(program));
    for (const input of [{}, { environment: { AIMA_INSTANCE_ID: 'x' } }, { environment: 'PATH=/' }]) {
      const jobId = submit(input);
      await expect.poll(() => stateOf(jobId), { timeout: 10_000 }).toBe('FAILED');
      expect(errorOf(jobId)).toContain('no lease');
    }
  });

  it('hands the worker its lease and the name of its job, no key of RunPod and nothing else from outside', async () => {
    const { program, folder } = await programOf(`import { writeFileSync } from 'node:fs';
      writeFileSync(process.env.AIMA_MODELS_DIR + '/env.json', JSON.stringify(process.env));`);
    serveQueue(runs(program, { ...process.env, ...simulator.workerEnvironment('w1'), CUDA_VERSION: '12.4' }));
    const input = leaseInput({ AIMA_MODELS_DIR: folder, NODE_OPTIONS: '--inspect', PATH: '/tmp' });
    const jobId = submit(input);
    await expect.poll(() => stateOf(jobId), { timeout: 10_000 }).toBe('COMPLETED');
    const env = JSON.parse(await readFile(join(folder, 'env.json'), 'utf8')) as Record<string, string>;
    expect(env).toMatchObject({
      AIMA_INSTANCE_ID: input.environment.AIMA_INSTANCE_ID,
      AIMA_PROVIDER_INSTANCE_ID: jobId,
      CUDA_VERSION: '12.4',
      PATH: process.env.PATH,
    });
    expect(env.NODE_OPTIONS).toBe(process.env.NODE_OPTIONS);
    expect(Object.keys(env).filter((name) => name.startsWith('RUNPOD_'))).toEqual([]);
  });

  it('pings with the job while it works', async () => {
    const { program } = await programOf('setTimeout(() => {}, 60_000)');
    serveQueue(runs(program));
    const jobId = submit(leaseInput());
    await expect
      .poll(() => sent('/ping/').filter((ping) => ping.query.get('job_id') === jobId).length, {
        timeout: 10_000,
      })
      .toBeGreaterThan(2);
  });

  it('stops a job that was canceled, tells nobody of its result and takes the next', async () => {
    const { program } = await programOf('setTimeout(() => {}, 60_000)');
    const ended = vi.fn();
    serveQueue(async (job, signal) => {
      const result = await runLease(program, job, process.env, signal);
      ended(job.id, result);
      return result;
    });
    const jobId = submit(leaseInput());
    await expect.poll(() => stateOf(jobId), { timeout: 10_000 }).toBe('IN_PROGRESS');
    simulator.jobs.finish(simulator.jobs.find(jobId)!, 'CANCELLED');
    await expect.poll(() => ended.mock.calls, { timeout: 10_000 }).toHaveLength(1);
    expect(ended).toHaveBeenCalledWith(jobId, { error: expect.stringContaining('SIGTERM') });
    const next = submit(leaseInput());
    await expect.poll(() => stateOf(next), { timeout: 10_000 }).toBe('IN_PROGRESS');
    expect(sent(jobId).filter(({ path }) => path.includes('/job-done/'))).toEqual([]);
  });

  it('ends with SIGTERM: its worker first, with a word of it to RunPod', async () => {
    const child = startEntry();
    const input = leaseInput();
    const jobId = submit(input);
    await expect.poll(() => stateOf(jobId), { timeout: 15_000 }).toBe('IN_PROGRESS');
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    expect(['COMPLETED', 'FAILED']).toContain(stateOf(jobId));
  });

  it('says again how a job ended where RunPod did not hear it', async () => {
    const heard: { url: string; headers: NodeJS.Dict<string | string[]>; body: string }[] = [];
    const server = createServer(async (incoming, response) => {
      let body = '';
      for await (const chunk of incoming) body += chunk;
      heard.push({ url: incoming.url!, headers: incoming.headers, body });
      response.writeHead(heard.length < 2 ? 502 : 200).end();
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const queue = openQueue({
      ...simulator.workerEnvironment('w1'),
      RUNPOD_WEBHOOK_POST_OUTPUT: `${url}/job-done/$RUNPOD_POD_ID/$ID?gpu=NVIDIA+L4`,
    });
    await queue.finish('job-1', { output: { ranMs: 1 } });
    expect(heard).toHaveLength(2);
    for (const { url, headers, body } of heard) {
      expect(url).toBe('/job-done/w1/job-1?gpu=NVIDIA+L4&isStream=false');
      expect(headers).toMatchObject({
        'content-type': 'application/x-www-form-urlencoded',
        'x-request-id': 'job-1',
      });
      expect(JSON.parse(body)).toEqual({ output: { ranMs: 1 } });
    }
  });
});
