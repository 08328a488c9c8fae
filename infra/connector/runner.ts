import { randomUUID } from 'node:crypto';
import type { LogFields } from '../../functions/core/log.ts';
import type { ConnectedFunction } from './functions.ts';
import type { Invocation } from './gateway.ts';
import type { ParkedEvent } from './parked.ts';
import { InvocationQueue } from './queue.ts';
import type { Outcome, RetryPolicy } from './retry.ts';
import { Schedule } from './schedule.ts';
import { Session } from './session.ts';

export interface RunnerOptions {
  mqtt: { url: string; username: string; password: string };
  invoke(invocation: Invocation): Promise<Outcome>;
  park(event: ParkedEvent): Promise<void>;
  retryPolicy: RetryPolicy;
  log(line: string, fields?: LogFields): void;
}

const EMPTY_BODY = Buffer.from('{}');

/**
 * Everything that invokes one function: its MQTT session with the queue behind it, and its schedule.
 *
 * Each function has a session of its own (client id `aima-connector-<name>`), so the broker itself keeps apart
 * what each has answered: a slow function fills only its own window of unacknowledged messages (Mosquitto: 20),
 * and after a crash only those functions are invoked again that had not answered.
 */
export class FunctionRunner {
  readonly #options: RunnerOptions;
  readonly #queue: InvocationQueue;
  #definition: ConnectedFunction;
  #session: Session | undefined;
  #schedule: Schedule | undefined;

  constructor(definition: ConnectedFunction, options: RunnerOptions) {
    this.#options = options;
    this.#definition = definition;
    this.#queue = new InvocationQueue({ ...options, functionName: definition.name });
    this.update(definition);
  }

  get definition(): ConnectedFunction {
    return this.#definition;
  }

  /** Resolved when the broker has answered the subscriptions. */
  get subscribed(): Promise<void> {
    return this.#session?.subscribed ?? Promise.resolve();
  }

  /** Takes over changed annotations. */
  update(definition: ConnectedFunction): void {
    this.#definition = definition;
    this.#queue.configure(definition);
    if (this.#session !== undefined) this.#session.setTopics(definition.topics);
    else if (definition.topics.length > 0) this.#session = this.#openSession(definition);
    if (this.#schedule?.expression !== definition.schedule) {
      void this.#schedule?.stop();
      this.#schedule =
        definition.schedule === undefined ? undefined : this.#startSchedule(definition, definition.schedule);
    }
  }

  /** Stops; the broker keeps what is not acknowledged. */
  async stop(): Promise<void> {
    await Promise.all([this.#schedule?.stop(), this.#queue.stop()]);
    await this.#session?.close();
  }

  /** Stops for good: the function is gone. */
  async remove(): Promise<void> {
    await Promise.all([this.#schedule?.stop(), this.#queue.stop()]);
    await this.#session?.end();
  }

  #openSession({ name, topics }: ConnectedFunction): Session {
    return new Session({
      ...this.#options.mqtt,
      clientId: `aima-connector-${name}`,
      topics,
      onDelivery: (delivery) => this.#queue.add(delivery),
      log: this.#options.log,
    });
  }

  #startSchedule({ name }: ConnectedFunction, expression: string): Schedule {
    return new Schedule({
      ...this.#options,
      functionName: name,
      expression,
      invoke: () =>
        this.#options.invoke({
          functionName: name,
          body: EMPTY_BODY,
          connector: 'cron-connector',
          topic: 'cron-function',
          eventId: randomUUID(),
        }),
    });
  }
}
