/** MinIO, or a successor that goes by its settings, with bucket events to our broker. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secrets } from '../../infra/secrets/secrets.ts';
import type { Command } from './kept.ts';
import { pathOf } from './parts.ts';

export async function placeMinio(
  dir: string,
  options: {
    port: number;
    mqttPort: number;
    region: string;
    secrets: Secrets;
    /** Empty: on all addresses. */
    host: string;
  },
): Promise<Command> {
  const { port, mqttPort, region, secrets, host } = options;
  const events = join(dir, 'events');
  const data = join(dir, 'data');
  await mkdir(events, { recursive: true });
  await mkdir(data);
  // A file, not the environment: that can be read in the process table.
  const file = join(dir, 'minio.env');
  const settings = {
    MINIO_ROOT_USER: secrets['s3-access-key'],
    MINIO_ROOT_PASSWORD: secrets['s3-secret-key'],
    MINIO_SITE_REGION: region,
    MINIO_BROWSER: 'off',
    MINIO_NOTIFY_MQTT_ENABLE_AIMA: 'on',
    MINIO_NOTIFY_MQTT_BROKER_AIMA: `tcp://127.0.0.1:${mqttPort}`,
    MINIO_NOTIFY_MQTT_TOPIC_AIMA: 'aima/media/uploaded',
    MINIO_NOTIFY_MQTT_QOS_AIMA: '1',
    MINIO_NOTIFY_MQTT_USERNAME_AIMA: 'objects',
    MINIO_NOTIFY_MQTT_PASSWORD_AIMA: secrets['mqtt-objects-password'],
    // Its default is ten minutes.
    MINIO_NOTIFY_MQTT_RECONNECT_INTERVAL_AIMA: '1s',
    // Without it events are dropped while the broker is away.
    MINIO_NOTIFY_MQTT_QUEUE_DIR_AIMA: events,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  await writeFile(file, lines.join(''), { mode: 0o600 });
  return {
    name: 'minio',
    command: pathOf('minio'),
    args: ['server', '--quiet', '--address', `${host}:${port}`, data],
    env: { PATH: process.env.PATH, HOME: dir, MINIO_CONFIG_ENV_FILE: file },
  };
}
