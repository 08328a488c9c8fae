/**
 * Stands in for faasd's gateway and provider as far as functions and the connector see them: lists what is
 * deployed, passes calls on without the prefix of their path, and starts a dead function again at the next
 * call to it, which is answered 500 as all others are until it listens.
 */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { StackFunction } from '../../infra/embedded/gateway/stack.ts';

export interface Deployed {
  definition: StackFunction;
  host: string;
  port: number;
  isAlive(): Promise<boolean>;
  start(): Promise<void>;
}

export async function startProvider(
  port: number,
  credentials: { user: string; password: string },
  functions: ReadonlyMap<string, Deployed>,
): Promise<Server> {
  const basic = `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`;
  const server = createServer((incoming, response) => {
    const [, kind, name = '', rest = ''] = /^\/(system|function)\/([^/?]+)(.*)$/.exec(incoming.url!) ?? [];
    if (kind === 'system' && name === 'functions' && incoming.headers.authorization === basic)
      return response.end(JSON.stringify([...functions.values()].map(listed)));
    const deployed = kind === 'function' && functions.get(name.replace(/\.openfaas-fn$/, ''));
    if (!deployed) return answer(response, 404, `error finding function ${name}`);
    pass(incoming, response, deployed, rest.startsWith('/') ? rest : `/${rest}`);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}

function listed({ definition: { name, image, annotations, labels } }: Deployed) {
  return { name, image, namespace: 'openfaas-fn', annotations, labels, invocationCount: 0, replicas: 1 };
}

function pass(incoming: IncomingMessage, response: ServerResponse, to: Deployed, path: string): void {
  const { host, port } = to;
  const outgoing = request({ host, port, path, method: incoming.method!, headers: incoming.headers });
  outgoing.on('response', (reply) => {
    response.writeHead(reply.statusCode!, reply.headers);
    reply.pipe(response);
  });
  outgoing.on('error', async () => {
    await text(incoming).catch(() => '');
    answer(response, 500, `Can't reach service for: ${to.definition.name}.`);
    await revive(to);
  });
  incoming.pipe(outgoing);
}

const reviving = new Set<Deployed>();

/** One start for all the calls that find it dead. */
async function revive(one: Deployed): Promise<void> {
  if (reviving.has(one)) return;
  reviving.add(one);
  try {
    if (!(await one.isAlive())) await one.start();
  } catch (error) {
    // The next call tries again.
    console.log(`${one.definition.name} cannot be started: ${(error as Error).message.split('\n').at(-2)}`);
  } finally {
    reviving.delete(one);
  }
}

function answer(response: ServerResponse, status: number, body: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { 'x-openfaas-internal': 'gateway' }).end(body);
}
