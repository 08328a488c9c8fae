/** What a server of real parts has around it in a test: free ports, who rents machines out, and who passes bytes on. */
import { writeFile } from 'node:fs/promises';
import { connect as connectTcp, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { modelsDir } from '../../gpu-worker/models/model-folder.ts';
import type { Certificate } from '../../infra/certificate/certificate.ts';
import { freePort } from '../../infra/embedded/ports.ts';
import { type Running, simulatedProviders } from '../providers/simulated.ts';
import { realClock } from '../providers/simulator/clock.ts';
import { processContainer } from '../providers/simulator/process-container.ts';

/** A free port for each name, all different. */
export async function freePorts(names: readonly string[]): Promise<Record<string, number>> {
  const taken = new Set<number>();
  for (const _ of names) taken.add(await freePort(taken));
  return Object.fromEntries([...taken].map((port, index) => [names[index]!, port]));
}

/** The simulated provider; its account's key is put among the secrets. */
export async function startSimulator(secretsDir: string): Promise<{ provider: Running; said: string[] }> {
  const said: string[] = [];
  const startContainer = processContainer({
    modelsDir: modelsDir(process.env),
    onLine: (id, line) => said.push(`${id} | ${line}`),
  });
  const vast = simulatedProviders.find(({ name }) => name === 'vast')!;
  const provider = await vast.start({ clock: realClock, startContainer, acceptMs: 50, pullMs: 50 });
  for (const [name, value] of Object.entries(provider.secrets))
    await writeFile(join(secretsDir, name), value, { mode: 0o600 });
  return { provider, said };
}

/** What the reverse proxy does for the object store. */
export function tlsInFrontOf(
  host: string,
  from: number,
  port: number,
  { certificate, key }: Certificate,
): Promise<Server> {
  return listen(
    createTlsServer({ cert: certificate, key }, (outer) => joinTo(outer, from)),
    host,
    port,
  );
}

/** The simulated provider listens on loopback alone. */
export function forward(host: string, port: number, to: number): Promise<Server> {
  return listen(
    createTcpServer((outer) => joinTo(outer, to)),
    host,
    port,
  );
}

function joinTo(outer: Socket, port: number): void {
  const inner = connectTcp(port, '127.0.0.1');
  outer.on('error', () => inner.destroy()).pipe(inner);
  inner.on('error', () => outer.destroy()).pipe(outer);
}

async function listen(server: Server, host: string, port: number): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return server;
}
