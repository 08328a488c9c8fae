/**
 * Analyzers on threads of their own, so that they really run side by side.
 *
 * onnxruntime-node computes on the thread that calls it and holds its event loop meanwhile: with all
 * analyzers on one thread, each waited for the others' models (up to 1.5 s for a page of text on two
 * busy cores), and so did the heartbeat. There are as many threads as processor cores, and no more
 * than analyzers: each thread has its own JavaScript heap and its own copy of the models it uses.
 *
 * Seen from the pipeline nothing changes: an analyzer on a thread is an analyzer.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { ModelLoading } from '../../functions/core/results/run.ts';
import type { Analyzer, AnalyzerContext, AnalyzerSession } from '../analyzers/analyzer.ts';
import { type Channel, openChannel } from './threads/channel.ts';
import type { ThreadData, ThreadMethods, WorkerMethods } from './threads/methods.ts';
import { shareThreads } from './threads/share.ts';

export interface AnalysisThreads {
  /** The same analyzers, of those in analyzers/index.ts, each running on one of the threads. */
  spread(analyzers: readonly Analyzer[]): Analyzer[];
  /** Models that were opened or first run since the last call. */
  takeLoading(): ModelLoading[];
  /**
   * Ends the threads. Their sessions fail, and what runs natively in them comes to its end first: at
   * most one picture, or one stretch of sound.
   */
  close(): Promise<void>;
}

interface Thread {
  worker: Worker;
  channel: Channel<ThreadMethods>;
}

/** @param options.threads CPU threads for everything together. */
export function openThreads(options: ThreadData): AnalysisThreads {
  const threads = new Map<number, Thread>();
  const saving = new Map<number, AnalyzerContext['savePicture']>();
  const loading = new Map<string, ModelLoading>();
  let sessions = 0;

  function open(number: number): Thread {
    const worker = new Worker(new URL('./threads/thread.ts', import.meta.url), { workerData: options });
    const channel = openChannel<WorkerMethods, ThreadMethods>(
      worker,
      {
        savePicture: ({ session, name, bytes, contentType }) =>
          saving.get(session)!(name, bytes, contentType),
        loaded(model) {
          loading.set(`${number} ${model.id} ${model.file}`, model);
        },
      },
      // A thread that has nothing to do keeps no program alive.
      (isBusy) => (isBusy ? worker.ref() : worker.unref()),
    );
    worker.unref();
    // What an analyzer throws comes as an answer. This is the thread's own end, of memory above all.
    const over = (error: Error) => {
      channel.close(new Error(`its thread has ended: ${error.message}`, { cause: error }));
      if (threads.get(number)?.worker === worker) threads.delete(number);
    };
    worker.once('error', over);
    worker.once('exit', (code) => over(new Error(`exit code ${code}`)));
    const thread = { worker, channel };
    threads.set(number, thread);
    return thread;
  }

  async function start(number: number, name: string, context: AnalyzerContext): Promise<AnalyzerSession> {
    const { channel } = threads.get(number) ?? open(number);
    const session = ++sessions;
    const { models: _, savePicture, signal, ...sent } = context;
    saving.set(session, savePicture);
    const abort = () => void channel.call('abort', { session, reason: signal.reason }).catch(() => {});
    async function dispose(): Promise<void> {
      signal.removeEventListener('abort', abort);
      saving.delete(session);
      await channel.call('dispose', { session });
    }
    signal.addEventListener('abort', abort);
    try {
      await channel.call('start', { session, analyzer: name, context: sent });
    } catch (error) {
      await dispose().catch(() => {});
      throw error;
    }
    return {
      onFrame: (frame) => channel.call('frame', { session, frame }),
      onPcm: (samples, startMs) => channel.call('pcm', { session, samples, startMs }),
      drain: (nowMs) => channel.call('drain', { session, nowMs }),
      finish: () => channel.call('finish', { session }),
      dispose,
    };
  }

  return {
    spread(analyzers) {
      const shares = shareThreads(
        analyzers.map(({ cost }) => cost),
        Math.min(options.threads, analyzers.length),
      );
      return analyzers.map((analyzer, index) => ({
        ...analyzer,
        start: (context) => start(shares[index]!, analyzer.name, context),
      }));
    },
    takeLoading() {
      const taken = [...loading.values()];
      loading.clear();
      return taken;
    },
    async close() {
      await Promise.all(
        [...threads.values()].map(async ({ worker, channel }) => {
          const exited = once(worker, 'exit');
          // Answered by the end of the thread, as all calls are that wait then.
          channel.call('end', { reason: new Error('the worker ends') }).catch(() => {});
          await exited;
        }),
      );
    },
  };
}
