/**
 * Keeps a list of services running on one machine.
 *
 * Services start in the order of the list, each when the one before it is ready. If one does not
 * come up, those that did are stopped and the start as a whole has failed. From then on a service
 * that ends by itself is started again, for ever, after a pause that grows with each failure in a
 * row; the others stay up and have to bear its absence. `stop` ends them in reverse order.
 *
 * What a service is, this file does not know: node-service.ts makes one of a Node program,
 * system.ts lists those of the embedded system, and lock.ts sees to it that a data folder has one
 * supervisor and that what a killed one left behind is ended.
 */

import { setTimeout as sleep } from 'node:timers/promises';

/** Something that can be started any number of times, one after the other. */
export interface Service {
  name: string;
  /** Resolves when it is ready for use; rejects, with nothing left running, when it is not or `signal` aborts. */
  start(signal: AbortSignal): Promise<RunningService>;
}

export interface RunningService {
  pid: number;
  /** Settles when it has ended, for whatever reason, with that reason in words. */
  exited: Promise<string>;
  /** Ends it, by force where it takes too long. Never rejects because it is gone already. */
  stop(): Promise<void>;
}

export type SupervisorEvent =
  | { type: 'starting'; name: string }
  | { type: 'ready'; name: string; pid: number; startMs: number }
  | { type: 'ended'; name: string; reason: string; restartInMs: number }
  | { type: 'stopping'; name: string };

export interface SuperviseOptions {
  onEvent(event: SupervisorEvent): void;
  /** Pause before a restart after so many failures in a row; see `restartDelayMs`. */
  delayMs?: (failuresInARow: number) => number;
}

export interface Supervisor {
  /** Resolves when all are ready for the first time; rejects when one is not or `stop` came first. */
  ready: Promise<void>;
  /** Ends everything in reverse order; further calls wait for the same end. */
  stop(): Promise<void>;
}

/** A service that ran this long was well: its next failure counts as the first. */
const WELL_AFTER_MS = 60_000;

/** 0.25 s, then twice as long each time, at most 30 s: a crash loop must not eat a core. */
export function restartDelayMs(failuresInARow: number): number {
  return Math.min(30_000, 250 * 2 ** (failuresInARow - 1));
}

/** Starts the services and keeps them running until `stop`. */
export function supervise(services: readonly Service[], options: SuperviseOptions): Supervisor {
  const { onEvent, delayMs = restartDelayMs } = options;
  const stopping = new AbortController();
  const running = new Map<Service, RunningService>();
  const keepers: Promise<void>[] = [];

  async function start(service: Service): Promise<RunningService> {
    stopping.signal.throwIfAborted();
    onEvent({ type: 'starting', name: service.name });
    const from = performance.now();
    const started = await service.start(stopping.signal);
    running.set(service, started);
    onEvent({
      type: 'ready',
      name: service.name,
      pid: started.pid,
      startMs: Math.round(performance.now() - from),
    });
    return started;
  }

  async function keep(service: Service, first: RunningService): Promise<void> {
    let current: RunningService | undefined = first;
    let failures = 0;
    while (!stopping.signal.aborted) {
      let reason: string;
      const from = performance.now();
      try {
        current ??= await start(service);
        reason = await current.exited;
      } catch (error) {
        reason = (error as Error).message;
      }
      current = undefined;
      if (stopping.signal.aborted) return;
      running.delete(service);
      failures = performance.now() - from > WELL_AFTER_MS ? 1 : failures + 1;
      const restartInMs = delayMs(failures);
      onEvent({ type: 'ended', name: service.name, reason, restartInMs });
      await sleep(restartInMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  }

  async function startAll(): Promise<void> {
    for (const service of services) {
      try {
        keepers.push(keep(service, await start(service)));
      } catch (error) {
        if (stopping.signal.aborted) throw new Error('stopped while starting');
        await stopAll();
        throw new Error(`${service.name} does not start: ${(error as Error).message}`, { cause: error });
      }
    }
  }

  async function stopAll(): Promise<void> {
    stopping.abort();
    for (const service of services.toReversed()) {
      const it = running.get(service);
      if (!it) continue;
      onEvent({ type: 'stopping', name: service.name });
      await it.stop();
    }
    await Promise.all(keepers);
  }

  const ready = startAll();
  let stopped: Promise<void> | undefined;
  return {
    ready,
    stop() {
      stopped ??= Promise.all([stopAll(), ready.catch(() => undefined)]).then(() => undefined);
      return stopped;
    },
  };
}
