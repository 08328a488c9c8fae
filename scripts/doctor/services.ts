/** The parts of this server that must run: Postgres, broker, object store, gateway. */
import mqtt from 'mqtt';
import type { Config } from '../../functions/core/config.ts';
import { openDatabase } from '../../functions/core/database.ts';
import { openBucket } from '../../functions/core/storage/bucket.ts';
import { examine, type Finding, fault, ok } from './finding.ts';

const patienceMs = 5_000;
/** Leases end by Postgres' clock and calls are signed by ours. */
const mostApartMs = 5_000;

export async function examineServices(config: Config): Promise<Finding[]> {
  const running = 'Start it ("npm start"), or correct its address';
  const findings = await Promise.all([
    examine('postgres', `${running} (AIMA_DATABASE_URL).`, () => postgres(config)),
    examine('mqtt', `${running} (AIMA_MQTT_URL).`, () => broker(config)),
    examine('s3', `${running} (AIMA_S3_ENDPOINT).`, () => objects(config)),
    examine('gateway', `${running} (AIMA_GATEWAY_URL).`, () => gateway(config)),
  ]);
  return findings.flat();
}

async function postgres(config: Config): Promise<Finding[]> {
  const sql = openDatabase(config);
  try {
    const askedAtMs = Date.now();
    const [row] = await sql<{ nowMs: number; live: number }[]>`
      select extract(epoch from clock_timestamp())::float8 * 1000 as now_ms,
        (select count(*)::integer from instances where state <> 'terminated') as live`;
    const apartMs = Math.abs(row!.nowMs - (askedAtMs + Date.now()) / 2);
    const answers = ok('postgres', `answers; ${row!.live} leases live`);
    return apartMs <= mostApartMs
      ? [answers]
      : [
          answers,
          fault(
            'clock',
            `Postgres' clock is ${Math.round(apartMs / 1000)} s from this one`,
            'Set both by NTP.',
          ),
        ];
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function broker(config: Config): Promise<Finding[]> {
  const client = await mqtt.connectAsync(
    config.AIMA_MQTT_URL,
    {
      protocolVersion: 4,
      username: 'functions',
      password: config.secret('mqtt-functions-password'),
      connectTimeout: patienceMs,
      reconnectPeriod: 0,
    },
    false,
  );
  await client.endAsync(true);
  return [ok('mqtt', 'takes our login')];
}

async function objects(config: Config): Promise<Finding[]> {
  const bucket = openBucket(config);
  await withPatience(bucket.stat('doctor/there-is-no-such-object'));
  return [ok('s3', `the bucket ${bucket.name} answers`)];
}

async function gateway(config: Config): Promise<Finding[]> {
  const url = new URL('/healthz', config.AIMA_GATEWAY_URL);
  const response = await fetch(url, { signal: AbortSignal.timeout(patienceMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return [ok('gateway', `answers at ${config.AIMA_GATEWAY_URL}`)];
}

function withPatience<T>(work: Promise<T>): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_, reject) =>
      setTimeout(() => reject(new Error('It did not answer in time.')), patienceMs).unref(),
    ),
  ]);
}
