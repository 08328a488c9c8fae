/**
 * An OpenFaaS gateway for one machine without containers.
 *
 * It speaks the gateway's HTTP (github.com/openfaas/faas, api-docs/spec.openapi.yml) as far as
 * callers and faas-cli need it, and runs the functions of stack.yml in its own process, by the
 * contract of OpenFaaS's node template. Callers and functions cannot tell it from faasd, with
 * these differences, all of them deliberate:
 *
 * - a handler that throws answers 500, not 200;
 * - functions and secrets are fixed: faas-cli can list, describe, invoke and read logs, not deploy;
 * - asynchronous calls wait in memory, bounded, a few at a time, and X-Callback-Url is refused;
 * - a function that does not answer in time cannot be stopped, only no longer waited for.
 *
 * /system/… asks for Basic authentication. /function/… is open, as in OpenFaaS: the functions
 * check bearer tokens themselves.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createLog } from '../../../functions/core/log.ts';
import type { AsyncQueueLimits } from './async-queue.ts';
import { FunctionHost } from './function-host.ts';
import { FunctionLogs } from './function-logs.ts';
import { ASYNC_PREFIX, FUNCTION_PREFIX, FunctionRoutes } from './function-routes.ts';
import { sendText } from './plain-answers.ts';
import type { StackFunction } from './stack.ts';
import { SYSTEM_PREFIX, type SystemOptions, SystemRoutes } from './system-routes.ts';

export interface GatewayOptions extends SystemOptions {
  stack: readonly StackFunction[];
  host: string;
  /** 0 for any free one. */
  port: number;
  maxBodyBytes: number;
  asyncLimits: AsyncQueueLimits;
}

export interface Gateway {
  port: number;
  /** Names of functions that could not be loaded. */
  unavailable: string[];
  /** Takes no more calls, waits for those under way, at most `waitMs`, and ends. Queued calls are lost. */
  close(waitMs: number): Promise<void>;
}

/** A request must be here within this time, or a slow caller could hold a connection for ever. */
const REQUEST_TIMEOUT_MS = 60_000;

/** Loads the functions, then listens. Rejects where the port cannot be had. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const logs = new FunctionLogs();
  const restoreConsole = logs.attributeConsole();
  const host = new FunctionHost(options.stack, logs);
  await host.load();
  const functions = new FunctionRoutes(host, logs, options.maxBodyBytes, options.asyncLimits);
  const system = new SystemRoutes(host, logs, options);

  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    dispatch(functions, system, request, response)?.catch((error: unknown) => {
      createLog({ service: 'gateway' }).error('a request failed', { error });
      response.destroy();
    });
  });
  await listen(server, options.port, options.host);
  return {
    port: (server.address() as AddressInfo).port,
    unavailable: [...host.functions.values()]
      .filter((hosted) => hosted.handler === null)
      .map((hosted) => hosted.definition.name),
    close: async (waitMs) => {
      logs.endFollowers();
      await closeServer(server, waitMs);
      restoreConsole();
    },
  };
}

function dispatch(
  functions: FunctionRoutes,
  system: SystemRoutes,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> | undefined {
  const url = request.url!;
  if (url.startsWith(FUNCTION_PREFIX)) return functions.invoke(request, response);
  if (url.startsWith(ASYNC_PREFIX)) return functions.enqueue(request, response);
  if (url.startsWith(SYSTEM_PREFIX)) return system.handle(request, response);
  if (url === '/healthz') sendText(response, 200, 'OK');
  else sendText(response, 404, '404 page not found');
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
}

async function closeServer(server: Server, waitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A connection that was busy at the close would be kept alive for seconds after its answer.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const limit = setTimeout(() => server.closeAllConnections(), waitMs);
  await closed;
  clearInterval(sweep);
  clearTimeout(limit);
}
