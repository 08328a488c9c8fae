/** The three services that everything here stands on, each asked something small. */
import type { MqttClient } from 'mqtt';
import type { Core } from '../core.ts';
import { within } from './patience.ts';
import type { Finding } from './shapes.ts';

const patienceMs = 3_000;

interface Service {
  part: Finding['part'];
  what: string;
  advice: string;
  ask(core: Core): Promise<void>;
}

const services: Service[] = [
  {
    part: 'database',
    what: 'Postgres cannot be reached: nothing works without it.',
    advice: 'Look whether it runs and takes connections (AIMA_DATABASE_URL), and at its log.',
    async ask({ sql }) {
      await sql`select`;
    },
  },
  {
    part: 'objects',
    what: 'The object store does not answer: nothing can be uploaded or fetched.',
    advice: 'Look whether it runs (AIMA_S3_ENDPOINT), whether its disk is full, and at its log.',
    // A listing, since a look at one object does not tell a bucket that is not there. Nothing is kept below this.
    async ask({ bucket }) {
      for await (const _ of bucket.list('health/')) break;
    },
  },
  {
    part: 'broker',
    what: 'The MQTT broker cannot be reached: jobs and machines are only found by the sweep, every half minute.',
    advice:
      'Look whether it runs (AIMA_MQTT_URL), whether it takes the login of the functions, and at its log.',
    // A broker that hangs keeps its connections: only an answer shows that it lives.
    async ask({ publisher }) {
      if (!(await publisher.isConnected(patienceMs / 2))) throw new Error('There is no connection.');
      await pong(publisher.client);
    },
  },
];

/** An answer to a ping of MQTT, which needs no right to any topic. */
function pong(client: MqttClient): Promise<void> {
  return new Promise((resolve) => {
    const onPacket = ({ cmd }: { cmd: string }) => {
      if (cmd !== 'pingresp') return;
      client.off('packetreceive', onPacket);
      resolve();
    };
    client.on('packetreceive', onPacket);
    setTimeout(() => client.off('packetreceive', onPacket), patienceMs).unref();
    client.sendPing();
  });
}

/** Since when each did not answer, as this process has seen it. */
const awaySince = new Map<string, string>();

/** All at once. @returns what does not answer. */
export async function serviceFindings(core: Core, now: Date): Promise<Finding[]> {
  const findings = await Promise.all(
    services.map(async ({ part, what, advice, ask }): Promise<Finding[]> => {
      try {
        // Not called before: a part that lacks its configuration throws when it is first opened.
        await within(
          patienceMs + 500,
          Promise.resolve().then(() => ask(core)),
        );
        awaySince.delete(part);
        return [];
      } catch {
        const sinceAt = awaySince.get(part) ?? now.toISOString();
        awaySince.set(part, sinceAt);
        return [{ part, severity: 'critical', what, sinceAt, advice }];
      }
    }),
  );
  return findings.flat();
}
