/** The HTTP side of a simulated provider: routes that are calls of the market, and faults between. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, Fault } from './faults.ts';
import type { Market } from './market.ts';

/** The account's key in all tests: whoever sees it in a log or an error has found a leak. */
export const accountKey = 'key-of-the-tests';

export interface SimRequest {
  method: string;
  /** Matches of the route's pattern, in order. */
  params: string[];
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  /** Parsed JSON, or undefined where there was none. */
  body: unknown;
  /** The fault that was switched on for this call and that the route must carry out. */
  fault: Fault | null;
}

export interface SimAnswer {
  status: number;
  /** Sent as JSON, or as it is where it is a string. */
  body?: unknown;
  headers?: Record<string, string>;
}

export interface SimRoute {
  method: string;
  /** Over the whole path, such as /^\/v2\/pods\/([^/]+)$/. */
  path: RegExp;
  /** Which faults it gets; null for what has none, such as the log of a machine. */
  call: Call | null;
  /** A promise for what is answered late, such as a long poll. */
  handle(request: SimRequest): SimAnswer | Promise<SimAnswer>;
}

export interface Simulator {
  /** Its address, without a slash at the end. */
  url: string;
  market: Market;
  /** Every request that came, for tests of what was sent. */
  requests: {
    method: string;
    path: string;
    query: URLSearchParams;
    headers: IncomingHttpHeaders;
    body: unknown;
  }[];
  close(): Promise<void>;
}

export interface SimulatorOptions {
  market: Market;
  routes: SimRoute[];
  /** What comes before every route: null lets it pass. */
  authorize(request: Omit<SimRequest, 'params' | 'fault'>, path: string): SimAnswer | null;
  /** What this provider says where there is no such route. */
  notFound?: SimAnswer;
  port?: number;
}

export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const { market } = options;
  const requests: Simulator['requests'] = [];
  const server = createServer(async (incoming, response) => {
    const url = new URL(incoming.url!, 'http://simulator');
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    let body: unknown;
    try {
      body = text === '' ? undefined : JSON.parse(text);
    } catch {
      return send(response, { status: 400, body: { title: 'Bad Request', status: 400 } });
    }
    const method = incoming.method!;
    const request = { method, query: url.searchParams, headers: incoming.headers, body };
    requests.push({ ...request, path: url.pathname });
    const refusal = options.authorize(request, url.pathname);
    if (refusal) return send(response, refusal);
    for (const route of options.routes) {
      const match = route.method === method ? route.path.exec(url.pathname) : null;
      if (!match) continue;
      const fault = route.call ? market.faults.take(route.call) : null;
      if (fault?.kind === 'dropped') return void incoming.socket.destroy();
      if (fault?.kind === 'answer' && !fault.done) return sendFault(response, fault);
      const params = match.slice(1).map(decodeURIComponent);
      // The id is the last; what the provider says of one that it does not know is its own business.
      if (fault?.kind === 'denied') params[params.length - 1] = '0';
      const answer = await route.handle({ ...request, params, fault });
      if (fault?.kind === 'answer_lost') return void incoming.socket.destroy();
      if (fault?.kind === 'answer') return sendFault(response, fault);
      if (fault?.kind === 'slow') await sleep(fault.ms);
      return send(response, answer);
    }
    send(response, options.notFound ?? { status: 404, body: { title: 'Not Found', status: 404 } });
  });
  await new Promise<void>((ready) => server.listen(options.port ?? 0, '127.0.0.1', ready));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    market,
    requests,
    async close() {
      market.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function sendFault(response: ServerResponse, fault: Extract<Fault, { kind: 'answer' }>): void {
  response.writeHead(fault.status, { 'content-type': 'text/plain', ...fault.headers }).end(fault.body);
}

function send(response: ServerResponse, { status, body, headers }: SimAnswer): void {
  const isText = typeof body === 'string';
  response.writeHead(status, { 'content-type': isText ? 'text/plain' : 'application/json', ...headers });
  response.end(body === undefined ? undefined : isText ? body : JSON.stringify(body));
}
