/** Rings the bell below this lease's own topic. Nothing depends on being heard. */
import mqtt from 'mqtt';
import { type LeaseEvent, type LeaseProgress, topics } from '../../functions/core/events/topics.ts';
import { pinned } from '../../functions/core/pinned-certificate.ts';

export interface Bell {
  ring(what: 'ready' | 'finished' | 'idle', jobId?: string): void;
  progress(jobId: string, fraction: number): void;
  /** Lets what was rung go out, for a moment at the most. */
  close(): Promise<void>;
}

/** @param certificate PEM, for a broker over TLS: the only one that is believed. */
export function openBell(url: string, instanceId: string, certificate?: string): Bell {
  const client = mqtt.connect(url, {
    ...(certificate ? pinned(certificate) : {}),
    protocolVersion: 4,
    // The login is bound to its own name as client id, so that it can push nobody else out.
    clientId: `worker-${instanceId}`,
    reconnectPeriod: 2000,
  });
  client.on('error', () => {}); // it reconnects by itself
  const publish = (what: Parameters<typeof topics.lease>[1], body: object) => {
    client.publish(topics.lease(instanceId, what), JSON.stringify(body), { qos: 1 });
  };
  return {
    ring: (what, jobId) => publish(what, { v: 1, ...(jobId ? { jobId } : {}) } satisfies LeaseEvent),
    progress(jobId, fraction) {
      if (client.connected) publish('progress', { v: 1, jobId, progress: fraction } satisfies LeaseProgress);
    },
    async close() {
      if (client.connected)
        await Promise.race([client.endAsync(), new Promise((done) => setTimeout(done, 1000).unref())]);
      client.end(true);
    },
  };
}
