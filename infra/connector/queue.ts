import { randomUUID } from 'node:crypto';
import type { LogFields } from '../../functions/core/log.ts';
import type { Invocation } from './gateway.ts';
import type { ParkedEvent } from './parked.ts';
import { type Decision, decide, type Outcome, type RetryPolicy } from './retry.ts';
import type { Delivery } from './session.ts';

export interface QueueOptions {
  functionName: string;
  invoke(invocation: Invocation): Promise<Outcome>;
  park(event: ParkedEvent): Promise<void>;
  retryPolicy: RetryPolicy;
  log(line: string, fields?: LogFields): void;
}

/** Deliveries that one invocation answers: a single one, or several of the same topic (`coalesce`). */
interface Batch {
  eventId: string;
  deliveries: [Delivery, ...Delivery[]];
  tries: number;
  /** when an invocation for it first was answered with a failure or broke */
  failingSinceMs?: number;
}

/**
 * The events of one function. Each waits here until the function has answered 2xx, or until it is parked; only
 * then is it acknowledged, so that whatever happens to this process the broker still has it.
 *
 * Taken in order of arrival, a few at a time. One that failed leaves its place to others until its retry is
 * due, so a poisoned event holds nobody up.
 */
export class InvocationQueue {
  readonly #options: QueueOptions;
  #coalesce = false;
  #concurrency = 1;
  #waiting: Batch[] = [];
  readonly #retryTimers = new Set<NodeJS.Timeout>();
  readonly #running = new Set<Promise<void>>();
  #stopped = false;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  configure(settings: { coalesce: boolean; concurrency: number }): void {
    this.#coalesce = settings.coalesce;
    // Merged events are for functions that look at everything anyway: a second look beside the first one
    // would only compete with it, and events merge exactly while one runs.
    this.#concurrency = settings.coalesce ? 1 : settings.concurrency;
    this.#fill();
  }

  add(delivery: Delivery): void {
    this.#waiting.push({ eventId: randomUUID(), deliveries: [delivery], tries: 0 });
    this.#fill();
  }

  /** Starts nothing more and waits for what runs. The events that are left come again from the broker. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#retryTimers) clearTimeout(timer);
    await Promise.all(this.#running);
  }

  #fill(): void {
    while (!this.#stopped && this.#running.size < this.#concurrency) {
      const batch = this.#take();
      if (batch === undefined) return;
      const run = this.#run(batch).finally(() => {
        this.#running.delete(run);
        this.#fill();
      });
      this.#running.add(run);
    }
  }

  #take(): Batch | undefined {
    const first = this.#waiting.shift();
    if (first === undefined || !this.#coalesce) return first;
    const { topic } = first.deliveries[0];
    const isSame = (batch: Batch) => batch.deliveries[0].topic === topic;
    const merged = this.#waiting.filter(isSame);
    this.#waiting = this.#waiting.filter((batch) => !isSame(batch));
    first.deliveries.push(...merged.flatMap((batch) => batch.deliveries));
    return first;
  }

  async #run(batch: Batch): Promise<void> {
    const { functionName, invoke, retryPolicy } = this.#options;
    const newest = batch.deliveries.at(-1) ?? batch.deliveries[0];
    batch.tries += 1;
    const outcome = await invoke({
      functionName,
      body: newest.body,
      connector: 'mqtt-connector',
      topic: newest.topic,
      eventId: batch.eventId,
    });
    const nowMs = performance.now();
    if (outcome.kind !== 'unreachable') batch.failingSinceMs ??= nowMs;
    const failingForMs = nowMs - (batch.failingSinceMs ?? nowMs);
    const history = { tries: batch.tries, failingForMs };
    const decision = decide(outcome, history, retryPolicy, Math.random());
    if (decision.kind === 'retry') return this.#retryLater(batch, decision);
    if (decision.kind === 'park' && !(await this.#park(batch, newest, decision.reason))) return;
    for (const delivery of batch.deliveries) delivery.acknowledge();
  }

  #retryLater(batch: Batch, decision: Extract<Decision, { kind: 'retry' }>): void {
    if (this.#stopped) return;
    if (batch.tries === 1) {
      const { functionName, log } = this.#options;
      log(`${functionName}: ${decision.reason}, trying on (${batch.eventId})`, idsOf(functionName, batch));
    }
    const timer = setTimeout(() => {
      this.#retryTimers.delete(timer);
      this.#waiting.unshift(batch);
      this.#fill();
    }, decision.delayMs);
    this.#retryTimers.add(timer);
  }

  /** Returns whether the event is safely on disk; if not (disk full) it is tried again later instead. */
  async #park(batch: Batch, newest: Delivery, reason: string): Promise<boolean> {
    const { functionName, park, retryPolicy, log } = this.#options;
    try {
      await park({
        version: 1,
        eventId: batch.eventId,
        functionName,
        topic: newest.topic,
        bodyBase64: newest.body.toString('base64'),
        deliveries: batch.deliveries.length,
        tries: batch.tries,
        reason,
        parkedAt: new Date().toISOString(),
      });
    } catch (error) {
      this.#retryLater(batch, { kind: 'retry', delayMs: retryPolicy.maxDelayMs, reason: String(error) });
      return false;
    }
    log(
      `${functionName}: parked event ${batch.eventId} after ${batch.tries} tries: ${reason}`,
      idsOf(functionName, batch),
    );
    return true;
  }
}

/** As the function's own log calls them: an event's id is the id of each call that it makes (gateway.ts). */
function idsOf(functionName: string, { eventId }: Batch): LogFields {
  return { function: functionName, callId: eventId };
}
