/**
 * The worker itself, a child of main.ts: says that it begins, tests its device, says hello, claims the
 * jobs assigned to its lease one after the other, and leaves when there is nothing left that it may do.
 *
 * How long it may live is watched from outside (main.ts), for which it tells each contact with the
 * server. Ending means to leave politely where the server can still be heard, and to exit in any case.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { createLog, withLogFields } from '../functions/core/log.ts';
import packageJson from '../package.json' with { type: 'json' };
import { findMeans } from './analyzers/means.ts';
import { openBell } from './lease/bell.ts';
import { type Device, deviceName, testDevice, Unfit } from './lease/device.ts';
import { readEnvironment } from './lease/environment.ts';
import { type FromWorker, type ToWorker, told } from './lease/messages.ts';
import { runJob } from './lease/run-job.ts';
import { type ClaimedJob, LeaseOver, openServer, Superseded } from './lease/server.ts';
import { openModelStore } from './models/open-store.ts';
import { openThreads } from './pipeline/threads.ts';

const heartbeatMs = 10_000;
/** A job assigned to a warm worker waits this long at the most. */
const claimMs = 500;

const environment = readEnvironment(process.env);
const { serverCertificate, provider, providerInstanceId } = environment;
const version = `${packageJson.name} ${packageJson.version}`;

/** Aborted when the worker must end now; its reason says why. */
const life = new AbortController();
const end = (why: string) => life.abort(new Error(why));
process.on('SIGTERM', () => end(told));
process.on('SIGINT', () => end(told));
process.on('message', (message: ToWorker) => end(message.end));
// Nobody would end the machine, or it is gone already and this process with it in a moment.
process.on('disconnect', () => process.exit(1));
const tell = (message: FromWorker) => process.send?.(message);

// The object store too may show the server's own certificate; models come from others.
if (serverCertificate) tls.setDefaultCACertificates([...tls.getCACertificates('default'), serverCertificate]);

const server = openServer(environment.databaseUrl, life.signal, {
  certificate: serverCertificate,
  onContact: () => tell({ contact: true }),
});
const bell = openBell(environment.mqttUrl, environment.instanceId, serverCertificate);
const { modelsDir, threads, tier } = environment;

/** Of the threads that analyse, once there are some. */
let endThreads: () => Promise<void> = async () => {};

let current: { job: ClaimedJob; abort: AbortController } | null = null;

/** Beats while the worker lives, whatever the analyzers do. */
async function beat(): Promise<void> {
  while (!life.signal.aborted) {
    await sleep(heartbeatMs, undefined, { signal: life.signal });
    const { remainingMs, jobs } = await server.heartbeat();
    tell({ remainingMs });
    // What is not ours any more was canceled or given to another: nobody pays for going on with it.
    if (current && !jobs.includes(current.job.jobId))
      current.abort.abort(new Superseded('the job was taken back'));
  }
}

async function work(device: Device): Promise<void> {
  const means = await findMeans(tier, modelsDir);
  const tools = {
    ...{ server, bell, modelsDir, threads, version },
    // Only to say where models come from: those that run are opened by the threads.
    models: openModelStore({ dir: modelsDir, threads, means }),
    analysis: openThreads({ modelsDir, threads, device: device.kind, means }),
    device: deviceName(device),
  };
  endThreads = tools.analysis.close;
  for (let idleSinceMs = performance.now(); ; ) {
    const job = await server.claim();
    if (job) {
      const abort = new AbortController();
      current = { job, abort };
      await runJob(tools, job, AbortSignal.any([life.signal, abort.signal])).catch(ignoreTakenBack);
      current = null;
      bell.ring('finished', job.jobId);
      idleSinceMs = performance.now();
    } else {
      if (performance.now() - idleSinceMs > environment.idleMs) return end('had nothing to do');
      await sleep(claimMs, undefined, { signal: life.signal });
    }
  }
}

function ignoreTakenBack(error: unknown): void {
  life.signal.throwIfAborted();
  if (!(error instanceof Superseded)) throw error;
}

async function main(): Promise<void> {
  const self = { version, provider, providerInstanceId, node: process.version, platform: process.platform };
  await server.starting(self);
  const device = await testDevice(environment.device);
  const { remainingMs } = await server.hello({
    ...self,
    device: device.kind,
    ...(device.kind === 'cuda' ? { gpu: { ...device.gpu } } : {}),
    threads,
    tier,
  });
  tell({ remainingMs });
  bell.ring('ready');
  await Promise.all([beat(), work(device)]);
}

/** The word for the log and the server, where it was not ended from outside. */
async function whyOf(error: unknown): Promise<string> {
  if (error instanceof Unfit) {
    await server.unfit(error.message).catch(() => {});
    return `is unfit: ${error.message}`;
  }
  return error instanceof LeaseOver || error instanceof Superseded ? error.message : 'failed';
}

const about = { service: 'worker', instanceId: environment.instanceId };
const log = createLog(about);
try {
  await withLogFields(about, main);
} catch (error) {
  if (!life.signal.aborted) {
    if (!(error instanceof LeaseOver || error instanceof Superseded))
      log.error('the worker failed', { error });
    end(await whyOf(error));
  }
}
const why = (life.signal.reason as Error).message;
log.info(`the worker ends: it ${why}`);
// The server's pool no longer retries, since life is over: one try, and it need not succeed.
const [threadsEnded] = await Promise.all([
  Promise.race([endThreads().then(() => true), sleep(1500, false)]),
  Promise.race([server.leave(why, why !== told), sleep(1500)]).catch(() => {}),
]);
bell.ring('idle');
await bell.close();
// A model that still runs would turn an exit into a crash.
if (!threadsEnded) process.kill(process.pid, 'SIGKILL');
process.exit(0);
