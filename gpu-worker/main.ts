/**
 * The worker: boots, says hello, claims the jobs assigned to its lease one after the other, and
 * leaves when there is nothing left that it may do.
 *
 * It never outlives its use. Four things end it, each by itself: the server takes the lease away;
 * its deadline comes; it has not reached Postgres for too long (the broker does not count: an outage
 * there ends nobody); nothing was assigned for a while. Ending means to leave politely where the
 * server can still be heard, and to exit in any case.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import packageJson from '../package.json' with { type: 'json' };
import { openBell } from './lease/bell.ts';
import { readEnvironment } from './lease/environment.ts';
import { runJob } from './lease/run-job.ts';
import { type ClaimedJob, LeaseOver, openServer, Superseded } from './lease/server.ts';
import { openModelStore } from './models/open-store.ts';

const heartbeatMs = 10_000;
/** A job assigned to a warm worker waits this long at the most. */
const claimMs = 500;

const environment = readEnvironment(process.env);
const version = `${packageJson.name} ${packageJson.version}`;

/** Aborted when the worker must end now; its reason says why. */
const life = new AbortController();
const end = (why: string) => life.abort(new Error(why));
const told = 'was told to end';
process.on('SIGTERM', () => end(told));
process.on('SIGINT', () => end(told));

const server = openServer(environment.databaseUrl, life.signal);
const bell = openBell(environment.mqttUrl, environment.instanceId);
const models = openModelStore({ dir: environment.modelsDir, threads: environment.threads });
const tools = {
  server,
  bell,
  models,
  modelsDir: environment.modelsDir,
  threads: environment.threads,
  version,
};

let lastContactMs = Date.now();
let deadlineMs = Number.POSITIVE_INFINITY;
let current: { job: ClaimedJob; abort: AbortController } | null = null;

/** Beats while the worker lives, whatever the analyzers do. */
async function beat(): Promise<void> {
  while (!life.signal.aborted) {
    await sleep(heartbeatMs, undefined, { signal: life.signal });
    const { deadlineAt, jobs } = await server.heartbeat();
    lastContactMs = Date.now();
    deadlineMs = deadlineAt.getTime();
    // What is not ours any more was canceled or given to another: nobody pays for going on with it.
    if (current && !jobs.includes(current.job.jobId))
      current.abort.abort(new Superseded('the job was taken back'));
  }
}

/** Runs on a timer of its own, since a heartbeat that hangs cannot notice that it does. */
function watch(): void {
  setInterval(() => {
    if (Date.now() - lastContactMs > environment.lostContactMs) end('lost contact with the server');
    if (Date.now() > deadlineMs) end('reached the end of its lease');
  }, 1000).unref();
}

async function work(): Promise<void> {
  for (let idleSinceMs = Date.now(); ; ) {
    const job = await server.claim();
    lastContactMs = Date.now();
    if (job) {
      const abort = new AbortController();
      current = { job, abort };
      await runJob(tools, job, AbortSignal.any([life.signal, abort.signal])).catch(ignoreTakenBack);
      current = null;
      bell.ring('finished', job.jobId);
      idleSinceMs = Date.now();
    } else {
      if (Date.now() - idleSinceMs > environment.idleMs) return end('had nothing to do');
      await sleep(claimMs, undefined, { signal: life.signal });
    }
  }
}

function ignoreTakenBack(error: unknown): void {
  life.signal.throwIfAborted();
  if (!(error instanceof Superseded)) throw error;
}

async function main(): Promise<void> {
  const hello = await server.hello({
    version,
    device: 'cpu',
    threads: environment.threads,
    node: process.version,
  });
  deadlineMs = hello.deadlineAt.getTime();
  watch();
  bell.ring('ready');
  await Promise.all([beat(), work()]);
}

try {
  await main();
} catch (error) {
  if (!life.signal.aborted)
    end(error instanceof LeaseOver || error instanceof Superseded ? error.message : 'failed');
  if (life.signal.reason !== error && !(error instanceof LeaseOver)) console.error(error);
}
const why = (life.signal.reason as Error).message;
console.log(`the worker ends: it ${why}`);
// The server's pool no longer retries, since life is over: one try, and it need not succeed.
await Promise.race([server.leave(why, why !== told), sleep(1000)]).catch(() => {});
bell.ring('idle');
await bell.close();
process.exit(0);
