import { connect } from 'mqtt';
import { topics } from '../../../functions/core/events/topics.ts';

export interface BrokerLogin {
  url: string;
  username: string;
  password: string;
}

export interface EventPublisher {
  /**
   * Publishes an event of the bucket with QoS 1; resolves when the broker has acknowledged it.
   * @throws Error where the broker is away or does not acknowledge in time: the event may arrive all the same.
   */
  publish(message: string): Promise<void>;
  close(): Promise<void>;
}

const RECONNECT_MS = 1000;
/** Then the store is told to try again; whoever calls a webhook waits some seconds at the least. */
const ACKNOWLEDGE_WITHIN_MS = 10_000;

/** A connection to the broker that comes back by itself. */
export function connectToBroker({
  url,
  username,
  password,
  log,
}: BrokerLogin & { log: (line: string) => void }): EventPublisher {
  const client = connect(url, {
    username,
    password,
    clean: true,
    protocolVersion: 4,
    reconnectPeriod: RECONNECT_MS,
    reconnectOnConnackError: true, // the broker may not know the user yet
    queueQoSZero: false,
    resubscribe: false,
  });
  let lastFault = '';
  client.on('connect', () => {
    if (lastFault !== '') log('the broker is back');
    lastFault = '';
  });
  client.on('error', (error) => {
    const fault = error.message || String((error as NodeJS.ErrnoException).code);
    if (fault !== lastFault) log(`the broker cannot be reached: ${fault}`);
    lastFault = fault;
  });

  let connection = new AbortController();
  client.on('close', () => {
    connection.abort(new Error('the connection to the broker is lost'));
    connection = new AbortController();
  });

  return {
    async publish(message) {
      // Offline the client would keep the message in memory and its sender waiting.
      if (!client.connected) throw new Error('the broker cannot be reached');
      const late = AbortSignal.timeout(ACKNOWLEDGE_WITHIN_MS);
      await Promise.race([
        client.publishAsync(topics.mediaUploaded, message, { qos: 1 }),
        whenAborted(AbortSignal.any([connection.signal, late])),
      ]);
    },
    close: () => client.endAsync(true),
  };
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
