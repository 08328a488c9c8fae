/**
 * Which TCP ports the embedded system takes: on 127.0.0.1, and on all addresses where it has a public one
 * (AIMA_PUBLIC_HOST): then also two more, for MQTT and S3 over TLS. Postgres has one port for both.
 */

import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { z } from 'zod';

/** Each port's variable and what it is when that is unset; 0 stands for any free one. */
const DEFAULTS = {
  AIMA_GATEWAY_PORT: 8080,
  AIMA_S3_PORT: 9000,
  AIMA_MQTT_PORT: 1883,
  AIMA_MQTT_WS_PORT: 9883,
  AIMA_POSTGRES_PORT: 54320,
} as const;

const PUBLIC_DEFAULTS = { AIMA_PUBLIC_MQTT_PORT: 8883, AIMA_PUBLIC_S3_PORT: 9443 } as const;

type PortVariable = keyof typeof DEFAULTS | keyof typeof PUBLIC_DEFAULTS;

export type Ports = Record<keyof typeof DEFAULTS, number> &
  Partial<Record<keyof typeof PUBLIC_DEFAULTS, number>>;

const portSchema = z.string().regex(/^\d+$/).transform(Number).pipe(z.number().max(65_535));

/** The ports as the environment names them. @throws with a sentence where one is no port number. */
export function configuredPorts(env: Readonly<Record<string, string | undefined>>): Ports {
  const defaults = { ...DEFAULTS, ...(env.AIMA_PUBLIC_HOST ? PUBLIC_DEFAULTS : {}) };
  const names = Object.keys(defaults) as PortVariable[];
  return Object.fromEntries(names.map((name) => [name, parsePort(name, env[name])])) as Ports;
}

/**
 * Reads the ports from the environment and checks that each is free.
 * @throws with a sentence that names the port and the variable that changes it.
 */
export async function choosePorts(env: Readonly<Record<string, string | undefined>>): Promise<Ports> {
  const isPublic = Boolean(env.AIMA_PUBLIC_HOST);
  const ports: Ports = { ...DEFAULTS, ...(isPublic ? PUBLIC_DEFAULTS : {}) };
  const taken = new Set<number>();
  for (const name of Object.keys(ports) as PortVariable[]) {
    const port = parsePort(name, env[name]);
    const isOpen = name in PUBLIC_DEFAULTS || (isPublic && name === 'AIMA_POSTGRES_PORT');
    if (taken.has(port))
      throw new Error(`${name} is ${port}, which another of our own ports is already: change one`);
    if (port !== 0 && !(await isFree(port, isOpen ? undefined : '127.0.0.1'))) {
      throw new Error(`port ${port} is in use by another program: stop that, or set ${name} to another port`);
    }
    ports[name] = port === 0 ? await freePort(taken) : port;
    taken.add(ports[name]);
  }
  return ports;
}

function parsePort(name: PortVariable, value: string | undefined): number {
  if (value === undefined || value === '') return { ...DEFAULTS, ...PUBLIC_DEFAULTS }[name];
  const port = portSchema.safeParse(value);
  if (!port.success) throw new Error(`${name} is "${value}", but must be a port number from 0 to 65535`);
  return port.data;
}

/**
 * A port that is free now. It lies below 32768, where Linux starts to take ports for outgoing
 * connections, so that none of those takes it between this answer and its use.
 */
export async function freePort(except: ReadonlySet<number> = new Set()): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    if (!except.has(port) && (await isFree(port, '127.0.0.1'))) return port;
  }
}

/** Without a host: on all addresses. */
function isFree(port: number, host: string | undefined): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      // Ports below 1024 need rights that we may lack; better said now than by a child.
      else reject(error);
    });
    server.listen({ port, ...(host && { host }), exclusive: true }, () => server.close(() => resolve(true)));
  });
}
