import { setTimeout as sleep } from 'node:timers/promises';
import { Cron } from 'croner';
import type { LogFields } from '../../functions/core/log.ts';
import { decide, type Outcome, type RetryPolicy } from './retry.ts';

export interface ScheduleOptions {
  functionName: string;
  /** cron expression in UTC, with an optional field of seconds in front */
  expression: string;
  invoke(): Promise<Outcome>;
  retryPolicy: RetryPolicy;
  log(line: string, fields?: LogFields): void;
}

/**
 * Invokes a function once now and then by the clock, never two at a time: a tick that is due while the last
 * one still runs is left out. A tick that fails is tried again until the next one is due, which takes its
 * place; ticks are all alike, so none is ever parked.
 */
export class Schedule {
  readonly #options: ScheduleOptions;
  readonly #cron: Cron;
  readonly #stopped = new AbortController();
  #running: Promise<void> | undefined;

  /** @throws when the expression is none */
  constructor(options: ScheduleOptions) {
    this.#options = options;
    this.#cron = new Cron(options.expression, { timezone: 'UTC' }, () => this.#tick());
    this.#tick();
  }

  get expression(): string {
    return this.#options.expression;
  }

  async stop(): Promise<void> {
    this.#cron.stop();
    this.#stopped.abort();
    await this.#running;
  }

  #tick(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  async #run(): Promise<void> {
    const { functionName, invoke, retryPolicy, log } = this.#options;
    const startedAtMs = performance.now();
    for (let tries = 1; !this.#stopped.signal.aborted; tries += 1) {
      const outcome = await invoke();
      const history = { tries, failingForMs: performance.now() - startedAtMs };
      const decision = decide(outcome, history, retryPolicy, Math.random());
      if (decision.kind === 'acknowledge') return;
      if (tries === 1)
        log(`${functionName}: scheduled invocation: ${decision.reason}`, { function: functionName });
      if (decision.kind === 'park' || decision.delayMs >= (this.#cron.msToNext() ?? 0)) return;
      await sleep(decision.delayMs, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
    }
  }
}
