import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { BaseLogin } from '../../broker/base-logins.ts';
import { readCertificate } from '../../certificate/certificate.ts';
import { startBroker } from './broker.ts';

/*
 * The embedded MQTT broker as a program. Environment: AIMA_DATA_DIR, AIMA_SECRETS_DIR, AIMA_MQTT_HOST,
 * AIMA_MQTT_PORT, AIMA_MQTT_WS_PORT; with AIMA_PUBLIC_HOST also AIMA_PUBLIC_MQTT_PORT, which listens on all
 * addresses, over TLS. When it was forked it sends {type: 'ready', port, wsPort} to its parent.
 */

const port = z.coerce.number().int().min(0).max(65_535);
const environment = z
  .object({
    AIMA_DATA_DIR: z.string().min(1).default('./data'),
    AIMA_SECRETS_DIR: z.string().min(1).optional(),
    AIMA_MQTT_HOST: z.string().min(1).default('127.0.0.1'),
    AIMA_MQTT_PORT: port.default(1883),
    AIMA_MQTT_WS_PORT: port.default(9883),
    AIMA_PUBLIC_HOST: z.string().optional(),
    AIMA_PUBLIC_MQTT_PORT: port.default(8883),
  })
  .parse(process.env);

const dataDir = resolve(environment.AIMA_DATA_DIR);
const secretsDir = resolve(environment.AIMA_SECRETS_DIR ?? join(dataDir, 'secrets'));

function baseLogin(username: BaseLogin['username']): BaseLogin {
  const password = readFileSync(join(secretsDir, `mqtt-${username}-password`), 'utf8').trim();
  if (password === '') throw new Error(`the secret mqtt-${username}-password is empty`);
  return { username, password };
}

const broker = await startBroker({
  host: environment.AIMA_MQTT_HOST,
  port: environment.AIMA_MQTT_PORT,
  wsPort: environment.AIMA_MQTT_WS_PORT,
  ...(environment.AIMA_PUBLIC_HOST && {
    outside: { port: environment.AIMA_PUBLIC_MQTT_PORT, ...(await readCertificate(secretsDir)) },
  }),
  statePath: join(dataDir, 'broker', 'dynamic-security.json'),
  baseLogins: [baseLogin('functions'), baseLogin('connector'), baseLogin('objects')],
  log: (line) => console.log(line),
});
console.log(`MQTT on ${environment.AIMA_MQTT_HOST}:${broker.port}, over WebSocket on port ${broker.wsPort}`);
process.send?.({ type: 'ready', port: broker.port, wsPort: broker.wsPort });

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    void broker.close().then(() => process.exit(0));
  });
}
