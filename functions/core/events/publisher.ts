/**
 * Rings the bell. Publishing never fails a caller and never makes it wait for a broker that is
 * away: what it would say is already in Postgres, where the sweep finds it. What was rung meanwhile
 * is kept for the broker's return, up to a limit, since a late bell still comes before the sweep;
 * so is the first one of a process, which is rung before its connection stands.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import type { Config } from '../config.ts';
import {
  type InstanceDrained,
  type JobSettled,
  type JobsQueued,
  type MediaRequested,
  topics,
  type UserJob,
} from './topics.ts';

/** Bells kept while the broker is away; beyond them the sweep has to do. */
const mostKept = 1000;

export interface Publisher {
  client: MqttClient;
  /** Whether the broker can be spoken to, waiting a little for it. */
  isConnected(patienceMs: number): Promise<boolean>;
  mediaRequested(jobIds: string[]): void;
  jobsQueued(jobIds: string[]): void;
  jobSettled(jobId: string, state: string): void;
  instanceDrained(instanceId: string): void;
  userJob(userId: string, job: { jobId: string; state: string; progress: number }): void;
  close(): Promise<void>;
}

export function openPublisher(config: Config): Publisher {
  const client = mqtt.connect(config.AIMA_MQTT_URL, {
    protocolVersion: 4,
    username: 'functions',
    password: config.secret('mqtt-functions-password'),
    // Two with the same id throw each other out for ever, and in containers every process has the same number.
    clientId: `functions-${randomBytes(8).toString('hex')}`,
    reconnectPeriod: 1000,
  });
  client.on('error', () => {}); // it reconnects by itself
  // Each command that waits for an answer listens for it.
  client.setMaxListeners(0);
  let kept = 0;
  const publish = (topic: string, body: object, retain = false) => {
    if (kept >= mostKept) return;
    kept++;
    client.publish(topic, JSON.stringify(body), { qos: 1, retain }, () => {
      kept--;
    });
  };
  return {
    client,
    async isConnected(patienceMs) {
      const endMs = Date.now() + patienceMs;
      while (!client.connected && Date.now() < endMs) await sleep(20);
      return client.connected;
    },
    mediaRequested: (jobIds) =>
      publish(topics.mediaRequested, { v: 1, jobIds: jobIds.slice(0, 1000) } satisfies MediaRequested),
    jobsQueued: (jobIds) =>
      publish(topics.jobsQueued, { v: 1, jobIds: jobIds.slice(0, 1000) } satisfies JobsQueued),
    jobSettled: (jobId, state) => publish(topics.jobsSettled, { v: 1, jobId, state } satisfies JobSettled),
    instanceDrained: (instanceId) =>
      publish(topics.instancesDrained, { v: 1, instanceId } satisfies InstanceDrained),
    userJob: (userId, { jobId, state, progress }) => {
      const body = { v: 1, jobId, state, progress, at: new Date().toISOString() } satisfies UserJob;
      publish(topics.userJob(userId, jobId), body, true);
    },
    close: () => client.endAsync(true),
  };
}
