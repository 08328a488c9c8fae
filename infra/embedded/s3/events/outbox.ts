import { connect, type MqttClient } from 'mqtt';
import type { ObjectStore } from '../storage/store.ts';

/**
 * Delivers bucket events to the broker. An event is a change in the same journal entry as the object it tells of,
 * so neither is ever there without the other, and it stays until the broker has acknowledged it (QoS 1): a broker
 * that is away, or a crash of this process, delays events and may repeat one. Nothing waits for a delivery.
 */

export interface OutboxOptions {
  url: string;
  username: string;
  password: string;
  topic: string;
  log: (line: string) => void;
}

/** MinIO's queue_limit. Beyond it new events are not kept: they are hints, and sweeps find what was missed. */
export const MAXIMUM_WAITING_EVENTS = 100_000;
/** Below aedes' 100 concurrent messages and Mosquitto's default of 20 in flight, which it queues beyond. */
const MAXIMUM_IN_FLIGHT = 20;
const RECONNECT_MS = 1000;

export class Outbox {
  readonly #store: ObjectStore;
  readonly #topic: string;
  readonly #client: MqttClient;
  readonly #inFlight = new Set<number>();

  constructor(store: ObjectStore, { url, username, password, topic, log }: OutboxOptions) {
    this.#store = store;
    this.#topic = topic;
    this.#client = connect(url, {
      username,
      password,
      clean: true,
      reconnectPeriod: RECONNECT_MS,
      reconnectOnConnackError: true, // the broker may not know the user yet
      queueQoSZero: false,
      resubscribe: false,
    });
    let lastFault = '';
    this.#client.on('connect', () => {
      lastFault = '';
      this.wake();
    });
    this.#client.on('error', (error) => {
      const fault = error.message || String((error as NodeJS.ErrnoException).code);
      if (fault !== lastFault) log(`events wait for the broker: ${fault}`);
      lastFault = fault;
    });
  }

  /** Sends what waits. Called after a commit that may hold events. */
  wake(): void {
    if (!this.#client.connected || this.#client.disconnecting) return;
    for (const [sequence, message] of this.#store.catalog.events) {
      if (this.#inFlight.size >= MAXIMUM_IN_FLIGHT) return;
      if (!this.#inFlight.has(sequence)) void this.#send(sequence, message);
    }
  }

  async #send(sequence: number, message: string): Promise<void> {
    this.#inFlight.add(sequence);
    try {
      await this.#client.publishAsync(this.#topic, message, { qos: 1 });
      await this.#store.commit([{ type: 'event-sent', sequence }]);
    } catch {
      this.#inFlight.delete(sequence);
      return; // still in the catalog: sent again by the next wake
    }
    this.#inFlight.delete(sequence);
    this.wake();
  }

  /** Ends at once; what was not acknowledged is sent after the next start. */
  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
