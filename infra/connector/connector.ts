import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { LogFields } from '../../functions/core/log.ts';
import { type ConnectedFunction, readAnnotations } from './functions.ts';
import { Gateway, type GatewayOptions } from './gateway.ts';
import { loadKnownFunctions, saveKnownFunctions } from './known.ts';
import { park } from './parked.ts';
import { backoffMs, defaultRetryPolicy, type RetryPolicy } from './retry.ts';
import { FunctionRunner, type RunnerOptions } from './runner.ts';

/*
 * The connector turns MQTT events and the clock into invocations of functions. What it does for a function is
 * in the function's annotations, read from the gateway every half minute:
 *
 *   topic        comma list of MQTT topic filters; each event is one POST to /function/<name>
 *   schedule     cron expression (UTC, seconds optional); invoked at start too, never beside itself
 *   coalesce     "true": events of one topic that wait together are answered by one invocation
 *   concurrency  how many invocations may run at the same time (default 4)
 *
 * An event's way: the broker delivers it into the session of the function (session.ts), it waits in the
 * function's queue (queue.ts), is sent to the gateway (gateway.ts), and what came back decides (retry.ts): a
 * 2xx acknowledges it to the broker, a temporary fault brings it back later, a refusal parks it on disk
 * (parked.ts). Until then the broker has it: a connector that is killed at any moment gets it again. So each
 * event arrives at least once, and functions must bear it twice.
 *
 * Broker and gateway may come and go in any order.
 */

export interface ConnectorOptions {
  gateway: GatewayOptions;
  mqtt: RunnerOptions['mqtt'];
  /** holds what must survive a restart: the list of sessions and the parked events */
  dataDir: string;
  log(line: string, fields?: LogFields): void;
  retryPolicy?: RetryPolicy;
  refreshEveryMs?: number;
  forgetAfterMs?: number;
}

const REFRESH_EVERY_MS = 30_000;
/**
 * A function is forgotten, with the events queued for it, only after it was missing from all listings for so
 * long: an update on faasd is a delete and a create, and its events are to wait for it.
 */
const FORGET_AFTER_MS = 10 * 60_000;
/** What running invocations get to end on a stop; the broker has the events of those that do not. */
const STOP_GRACE_MS = 5_000;

/** Where parked events are. */
export function deadLetterDir(dataDir: string): string {
  return join(dataDir, 'dead-letter');
}

export class Connector {
  readonly #options: ConnectorOptions;
  readonly #gateway: Gateway;
  readonly #runners = new Map<string, { runner: FunctionRunner; listedAtMs: number }>();
  readonly #faults = new Set<string>();
  readonly #stopRefreshing = new AbortController();
  readonly #stopInvoking = new AbortController();
  #refreshing: Promise<void> | undefined;
  #markListed: () => void = () => undefined;
  readonly #listed = new Promise<void>((resolve) => {
    this.#markListed = resolve;
  });

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#gateway = new Gateway(options.gateway);
  }

  /**
   * Starts, and resolves when the functions are known and the broker has answered all subscriptions; the
   * sessions of functions known from before are taken up at once.
   */
  async start(): Promise<ConnectedFunction[]> {
    for (const definition of await loadKnownFunctions(this.#knownPath)) this.#run(definition);
    this.#refreshing = this.#refreshForEver();
    await this.#listed;
    const runners = [...this.#runners.values()].map(({ runner }) => runner);
    await Promise.all(runners.map((runner) => runner.subscribed));
    return runners.map((runner) => runner.definition);
  }

  async stop(): Promise<void> {
    this.#stopRefreshing.abort();
    await this.#refreshing;
    const grace = setTimeout(() => this.#stopInvoking.abort(), STOP_GRACE_MS);
    await Promise.all([...this.#runners.values()].map(({ runner }) => runner.stop()));
    clearTimeout(grace);
    this.#gateway.close();
  }

  get #knownPath(): string {
    return join(this.#options.dataDir, 'functions.json');
  }

  async #refreshForEver(): Promise<void> {
    const { signal } = this.#stopRefreshing;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#refresh();
        if (failures > 0) this.#options.log('the gateway answers again');
        failures = 0;
        this.#markListed();
      } catch (error) {
        if (failures === 0) this.#options.log(`cannot list functions (${String(error)}), trying on`);
        failures += 1;
      }
      const { refreshEveryMs = REFRESH_EVERY_MS } = this.#options;
      // An empty list is what a gateway says that has just started and not yet loaded its functions.
      const soon = failures > 0 || this.#runners.size === 0;
      const delayMs = soon
        ? Math.min(refreshEveryMs, backoffMs(Math.max(failures, 3), 200, 5_000, Math.random()))
        : refreshEveryMs;
      await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** @throws when the gateway cannot be asked */
  async #refresh(): Promise<void> {
    const listed = await this.#gateway.listFunctions();
    const before = this.#definitions();
    for (const entry of listed) {
      const definition = readAnnotations(entry);
      if (definition === undefined) continue;
      if ('fault' in definition) this.#logOnce(definition.fault);
      else this.#run(definition);
    }
    await this.#forget();
    const after = this.#definitions();
    if (!isDeepStrictEqual(before, after)) await saveKnownFunctions(this.#knownPath, after);
  }

  #run(definition: ConnectedFunction): void {
    const listedAtMs = performance.now();
    const known = this.#runners.get(definition.name);
    if (known === undefined) {
      const runner = new FunctionRunner(definition, this.#runnerOptions());
      this.#runners.set(definition.name, { runner, listedAtMs });
      return;
    }
    known.listedAtMs = listedAtMs;
    if (!isDeepStrictEqual(known.runner.definition, definition)) known.runner.update(definition);
  }

  async #forget(): Promise<void> {
    const { forgetAfterMs = FORGET_AFTER_MS } = this.#options;
    // Ending one session may take long: the others were listed before it.
    const nowMs = performance.now();
    for (const [name, { runner, listedAtMs }] of this.#runners) {
      if (nowMs - listedAtMs < forgetAfterMs) continue;
      this.#runners.delete(name);
      this.#options.log(`${name} is gone from the gateway: ending its session`);
      await runner
        .remove()
        .catch((error: Error) => this.#options.log(`${name}: session not ended: ${error.message}`));
    }
  }

  #runnerOptions(): RunnerOptions {
    const { mqtt, dataDir, log, retryPolicy = defaultRetryPolicy } = this.#options;
    return {
      mqtt,
      retryPolicy,
      log,
      invoke: (invocation) => this.#gateway.invoke(invocation, this.#stopInvoking.signal),
      park: (event) => park(deadLetterDir(dataDir), event),
    };
  }

  #definitions(): ConnectedFunction[] {
    return [...this.#runners.values()].map(({ runner }) => runner.definition);
  }

  #logOnce(line: string): void {
    if (this.#faults.has(line)) return;
    this.#faults.add(line);
    this.#options.log(line);
  }
}
