import mqtt, { type IClientOptions } from 'mqtt';

/** A message that the broker will send again until it is acknowledged. */
export interface Delivery {
  topic: string;
  body: Buffer;
  /** May come late, after a reconnect, or never: it is the broker's copy that is deleted with it. */
  acknowledge(): void;
}

export interface SessionOptions {
  url: string;
  username: string;
  password: string;
  /** names the persistent session: the broker keeps subscriptions and unacknowledged messages under it */
  clientId: string;
  topics: readonly string[];
  onDelivery(delivery: Delivery): void;
  log(line: string): void;
}

/** A message received and not yet acknowledged to the broker. */
interface Unacknowledged {
  topic: string;
  body: Buffer;
  connection: mqtt.MqttClient['stream'];
  finished: boolean;
}

const FIRST_RECONNECT_MS = 200;
const MAX_RECONNECT_MS = 5_000;
/** A connection that ended sooner was no success: something, such as a second connector, keeps ending it. */
const STABLE_AFTER_MS = 10_000;

/**
 * A persistent MQTT 3.1.1 session that acknowledges each message when its receiver says so.
 *
 * MQTT.js (5.16) sends PUBACK as soon as the callback given to `handleMessage` is called without an error, and
 * reads no further packet before it is called: keeping it until a function has answered would hold up all
 * other messages and the pings. Called with an error it sends no PUBACK and goes on
 * (lib/handlers/publish.js), so it is called with one at once, and the four bytes of the PUBACK (MQTT 3.1.1
 * section 3.4) are written when the time has come.
 *
 * After a reconnect the broker sends what was not acknowledged once more, under the same packet identifiers.
 * What is still being worked on here is then not handed on again, it only takes the new connection for its
 * acknowledgement; what was finished in between is acknowledged at once.
 */
export class Session {
  readonly #options: SessionOptions;
  readonly #client: mqtt.MqttClient;
  #topics: Set<string>;
  readonly #obsoleteTopics = new Set<string>();
  readonly #unacknowledged = new Map<number, Unacknowledged>();
  #markSubscribed: () => void = () => undefined;
  /** resolved when the broker has answered the first subscriptions */
  readonly subscribed = new Promise<void>((resolve) => {
    this.#markSubscribed = resolve;
  });

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#topics = new Set(options.topics);
    this.#client = mqtt.connect(options.url, {
      ...this.#connectOptions(),
      clean: false,
      reconnectPeriod: FIRST_RECONNECT_MS,
      reconnectOnConnackError: true,
      // Subscriptions are sent anew on every connect below: MQTT.js does so only for a lost session and
      // forgets those that were under way when the connection broke.
      resubscribe: false,
    });
    this.#client.handleMessage = (packet, callback) => {
      this.#deliver(packet);
      callback(new Error('to be acknowledged later'));
    };
    this.#watchConnection();
  }

  /** Changes what is subscribed to, at once or with the next connection. */
  setTopics(topics: readonly string[]): void {
    const wanted = new Set(topics);
    for (const topic of this.#topics) if (!wanted.has(topic)) this.#obsoleteTopics.add(topic);
    for (const topic of wanted) this.#obsoleteTopics.delete(topic);
    this.#topics = wanted;
    if (this.#client.connected) void this.#subscribe();
  }

  /** Disconnects; the broker keeps the session. */
  async close(): Promise<void> {
    // Not forced while there is a connection: what was just acknowledged on it should still get out.
    await this.#client.endAsync(!this.#client.connected);
  }

  /** Ends the session for good, with what the broker has queued for it. */
  async end(): Promise<void> {
    await this.close();
    // A connect with a clean session discards the kept one (MQTT 3.1.1 section 3.1.2.4).
    const last = await mqtt.connectAsync(this.#options.url, {
      ...this.#connectOptions(),
      clean: true,
      reconnectPeriod: 0,
    });
    await last.endAsync();
  }

  #connectOptions(): IClientOptions {
    const { username, password, clientId } = this.#options;
    return { username, password, clientId, protocolVersion: 4, keepalive: 30, connectTimeout: 10_000 };
  }

  #deliver({ messageId, topic, payload, qos }: mqtt.IPublishPacket): void {
    const body = Buffer.from(payload);
    if (qos === 0 || messageId === undefined) {
      this.#options.onDelivery({ topic, body, acknowledge: () => undefined });
      return;
    }
    const connection = this.#client.stream;
    const known = this.#unacknowledged.get(messageId);
    if (known?.topic === topic && known.body.equals(body)) {
      known.connection = connection;
      if (known.finished) this.#acknowledge(messageId, known);
      return;
    }
    const message: Unacknowledged = { topic, body, connection, finished: false };
    this.#unacknowledged.set(messageId, message);
    this.#options.onDelivery({ topic, body, acknowledge: () => this.#acknowledge(messageId, message) });
  }

  #acknowledge(messageId: number, message: Unacknowledged): void {
    message.finished = true;
    if (!message.connection.writable) return;
    message.connection.write(Buffer.of(0x40, 2, messageId >> 8, messageId & 0xff));
    if (this.#unacknowledged.get(messageId) === message) this.#unacknowledged.delete(messageId);
  }

  #watchConnection(): void {
    const { log, clientId } = this.#options;
    const client = this.#client;
    let stable: NodeJS.Timeout | undefined;
    let reported = false;
    // Not on 'connect', which MQTT.js emits only after the first messages may have come.
    client.on('packetreceive', (packet) => {
      // A broker that lost the session counts packet identifiers anew. What it had sent is worked on here all
      // the same, just not acknowledged any more.
      if (packet.cmd === 'connack' && !packet.sessionPresent) this.#unacknowledged.clear();
    });
    client.on('connect', () => {
      stable = setTimeout(() => {
        client.options.reconnectPeriod = FIRST_RECONNECT_MS;
      }, STABLE_AFTER_MS);
      if (reported) log(`${clientId}: connected to the MQTT broker`);
      reported = false;
      void this.#subscribe();
    });
    client.on('error', (error) => {
      if (!reported) log(`${clientId}: no connection to the MQTT broker (${error.message}), trying on`);
      reported = true;
    });
    client.on('close', () => {
      clearTimeout(stable);
      if (stable !== undefined && !client.disconnecting && !reported) {
        log(`${clientId}: lost the MQTT broker, reconnecting`);
        reported = true;
      }
      stable = undefined;
      // MQTT.js has set its timer for this attempt already; this is the delay of the next one.
      const periodMs = client.options.reconnectPeriod ?? FIRST_RECONNECT_MS;
      client.options.reconnectPeriod = Math.min(periodMs * 2, MAX_RECONNECT_MS);
    });
  }

  async #subscribe(): Promise<void> {
    // One by one, for MQTT.js refuses a whole list for one malformed filter.
    const dropped = [...this.#obsoleteTopics].map(async (topic) => {
      const answered = await this.#answered('unsubscribe from', topic, this.#client.unsubscribeAsync(topic));
      if (answered) this.#obsoleteTopics.delete(topic);
    });
    const added = [...this.#topics].map((topic) =>
      this.#answered('subscribe to', topic, this.#client.subscribeAsync(topic, { qos: 1 })),
    );
    await Promise.all(dropped);
    if ((await Promise.all(added)).every((answered) => answered)) this.#markSubscribed();
  }

  /** Whether an answer came, if only a refusal; without one the next connection asks again. */
  async #answered(what: string, topic: string, answer: Promise<unknown>): Promise<boolean> {
    const { log, clientId } = this.#options;
    try {
      await answer;
    } catch (error) {
      if (!this.#client.connected) return false;
      log(`${clientId}: cannot ${what} ${JSON.stringify(topic)}: ${String(error)}`);
    }
    return true;
  }
}
