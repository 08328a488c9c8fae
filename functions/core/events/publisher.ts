/**
 * Rings the bell. Publishing never fails a caller and never makes it wait for a broker that is
 * away: what it would say is already in Postgres, where the sweep finds it.
 */
import mqtt, { type MqttClient } from 'mqtt';
import type { Config } from '../config.ts';
import { topics } from './topics.ts';

export interface Publisher {
  client: MqttClient;
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
    clientId: `functions-${process.pid}-${Date.now().toString(36)}`,
    reconnectPeriod: 1000,
    // A bell that could not be rung is not rung later: the sweep has looked by then.
    queueQoSZero: false,
  });
  client.on('error', () => {}); // it reconnects by itself
  const publish = (topic: string, body: object, retain = false) => {
    if (client.connected) client.publish(topic, JSON.stringify({ v: 1, ...body }), { qos: 1, retain });
  };
  return {
    client,
    mediaRequested: (jobIds) => publish(topics.mediaRequested, { jobIds: jobIds.slice(0, 1000) }),
    jobsQueued: (jobIds) => publish(topics.jobsQueued, { jobIds: jobIds.slice(0, 1000) }),
    jobSettled: (jobId, state) => publish(topics.jobsSettled, { jobId, state }),
    instanceDrained: (instanceId) => publish(topics.instancesDrained, { instanceId }),
    userJob: (userId, job) =>
      publish(topics.userJob(userId, job.jobId), { ...job, at: new Date().toISOString() }, true),
    close: () => client.endAsync(true),
  };
}
