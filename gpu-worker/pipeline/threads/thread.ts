/**
 * The program of a thread that analyses: it holds its own models and runs the sessions of the analyzers
 * that share it. What one of them throws fails that session only.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { AnalyzerSession } from '../../analyzers/analyzer.ts';
import { analyzers } from '../../analyzers/index.ts';
import { openModelStore } from '../../models/open-store.ts';
import { openChannel } from './channel.ts';
import type { ThreadData, ThreadMethods, WorkerMethods } from './methods.ts';

const { modelsDir, threads, device, means } = workerData as ThreadData;
const sessions = new Map<number, AnalyzerSession>();
const aborts = new Map<number, AbortController>();

const models = openModelStore({
  ...{ dir: modelsDir, threads, device, means },
  onLoading: (loading) => void worker.call('loaded', loading),
});

/** What a session is doing now. */
const steps = new Set<Promise<unknown>>();

function step<T>(promise: Promise<T>): Promise<T> {
  const settled = () => steps.delete(promise);
  steps.add(promise);
  promise.then(settled, settled);
  return promise;
}

const worker = openChannel<ThreadMethods, WorkerMethods>(parentPort!, {
  start: (given) => step(start(given)),
  frame: ({ session, frame }) => step(sessions.get(session)!.onFrame?.(frame) ?? Promise.resolve()),
  pcm: ({ session, samples, startMs }) =>
    step(sessions.get(session)!.onPcm?.(samples, startMs) ?? Promise.resolve()),
  drain: ({ session, nowMs }) => step(sessions.get(session)!.drain(nowMs)),
  finish: ({ session }) => step(sessions.get(session)!.finish()),
  async dispose({ session }) {
    const ended = sessions.get(session);
    sessions.delete(session);
    aborts.delete(session);
    await ended?.dispose();
  },
  abort({ session, reason }) {
    aborts.get(session)?.abort(reason);
  },
  async end({ reason }) {
    for (const abort of aborts.values()) abort.abort(reason);
    // A thread that is ended while native code works in it takes the whole process with it.
    await Promise.allSettled(steps);
    process.exit();
  },
});

async function start({
  session,
  analyzer: name,
  context,
}: Parameters<ThreadMethods['start']>[0]): Promise<void> {
  const analyzer = analyzers.find((one) => one.name === name);
  if (!analyzer) throw new Error(`there is no analyzer ${name}`);
  const abort = new AbortController();
  aborts.set(session, abort);
  const started = await analyzer.start({
    ...{ ...context, models, signal: abort.signal },
    savePicture: (picture, bytes, contentType) =>
      worker.call('savePicture', { session, name: picture, bytes, contentType }),
  });
  sessions.set(session, started);
}
