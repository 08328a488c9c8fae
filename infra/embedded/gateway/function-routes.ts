/**
 * /function/… and /async-function/…: from a request to a handler and back.
 *
 * What the gateway itself refuses (too large, too slow, thrown) is a problem document like those
 * of the functions; an unknown function gets OpenFaaS's own text.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { AimaError, asAimaError } from '../../../functions/core/errors.ts';
import type { FunctionEvent, FunctionHandler } from '../../../functions/core/http/contract.ts';
import { problemHeaders, problemOf } from '../../../functions/core/http/problem.ts';
import { createLog, withoutSecrets } from '../../../functions/core/log.ts';
import { AsyncQueue, type AsyncQueueLimits } from './async-queue.ts';
import {
  type Call,
  callHeaders,
  durationSeconds,
  eventOf,
  parseTarget,
  startCall,
  type Target,
} from './call.ts';
import { type FunctionHost, type HostedFunction, NAMESPACE } from './function-host.ts';
import type { FunctionLogs } from './function-logs.ts';
import type { FunctionAnswer } from './invocation.ts';
import { sendText } from './plain-answers.ts';
import { CallerGone, readBody } from './request-body.ts';

export const FUNCTION_PREFIX = '/function/';
export const ASYNC_PREFIX = '/async-function/';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Headers about one connection, which is never the function's business. */
const CONNECTION_HEADERS = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'content-length',
]);

interface Ready {
  hosted: HostedFunction;
  handler: FunctionHandler;
  target: Target;
}

export class FunctionRoutes {
  readonly #host: FunctionHost;
  readonly #logs: FunctionLogs;
  readonly #maxBodyBytes: number;
  readonly #queue: AsyncQueue;

  constructor(host: FunctionHost, logs: FunctionLogs, maxBodyBytes: number, asyncLimits: AsyncQueueLimits) {
    this.#host = host;
    this.#logs = logs;
    this.#maxBodyBytes = maxBodyBytes;
    this.#queue = new AsyncQueue(asyncLimits);
  }

  async invoke(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = startCall(request);
    const method = request.method!;
    if (!METHODS.has(method)) return sendText(response, 405, '');
    const ready = this.#find(request, response, FUNCTION_PREFIX);
    if (ready === null) return;
    try {
      const body = await readBody(request, this.#maxBodyBytes);
      const event = eventOf(request, method, ready.target, call, body);
      sendAnswer(response, call, await this.#run(ready, event, call));
    } catch (thrown) {
      if (!(thrown instanceof CallerGone)) sendProblem(response, call, asAimaError(thrown));
    }
  }

  /** Answers 202 at once; the function is called later, always with POST, and its answer is dropped. */
  async enqueue(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = startCall(request);
    if (request.method !== 'POST') return sendText(response, 405, '', { allow: 'POST' });
    const ready = this.#find(request, response, ASYNC_PREFIX);
    if (ready === null) return;
    try {
      refuseCallback(request);
      const body = await readBody(request, this.#maxBodyBytes);
      const event = eventOf(request, 'POST', ready.target, call, body);
      const accepted = this.#queue.offer(body.length, () => this.#runQueued(ready, event, call));
      if (!accepted) {
        throw new AimaError('too_many_requests', 'The queue of asynchronous calls is full.', {
          data: { retryAfterSeconds: 5 },
        });
      }
      response.writeHead(202, { ...callHeaders(call, false), 'content-length': '0' }).end();
    } catch (thrown) {
      if (!(thrown instanceof CallerGone)) sendProblem(response, call, asAimaError(thrown));
    }
  }

  #find(request: IncomingMessage, response: ServerResponse, prefix: string): Ready | null {
    const target = parseTarget(request.url!, prefix);
    const hosted = target === null ? undefined : this.#host.find(target.name);
    if (target === null || hosted === undefined) {
      const name = target?.name.includes('.') ? target.name : `${target?.name ?? ''}.${NAMESPACE}`;
      sendText(response, 404, `error finding function ${name}: it is not in stack.yml`);
      return null;
    }
    if (hosted.handler === null) {
      const text = `Can't reach service for: ${hosted.definition.name}.`;
      sendText(response, 500, text, { 'x-openfaas-internal': 'gateway' });
      return null;
    }
    return { hosted, handler: hosted.handler, target };
  }

  /** Calls the function and leaves the line in its log that OpenFaaS's watchdog would write. */
  async #run({ hosted, handler, target }: Ready, event: FunctionEvent, call: Call): Promise<FunctionAnswer> {
    const { name } = hosted.definition;
    const note = (status: number, sizeBytes: number) =>
      this.#logs.append(
        name,
        withoutSecrets(
          `${event.method} ${target.path} - ${status} ${STATUS_CODES[status] ?? ''} - ` +
            `ContentLength: ${sizeBytes}B (${durationSeconds(call)}s) [${call.id}]`,
        ),
      );
    try {
      const answer = await this.#host.call(hosted, handler, event);
      note(answer.status, answer.body.length);
      return answer;
    } catch (thrown) {
      const error = asAimaError(thrown);
      const log = createLog({ function: name, callId: call.id });
      this.#logs.runAs(name, () => log.error(`call ${call.id} failed: ${error.code}`, { error }));
      note(error.row.httpStatus, 0);
      throw error;
    }
  }

  async #runQueued(ready: Ready, event: FunctionEvent, call: Call): Promise<void> {
    try {
      await this.#run(ready, event, call);
    } catch {
      // In the function's log already; an asynchronous call is tried once, as in OpenFaaS CE.
    }
  }
}

/** Whoever may call could make this server post to any address that it reaches: refused, not followed. */
function refuseCallback(request: IncomingMessage): void {
  if (request.headers['x-callback-url'] !== undefined) {
    throw new AimaError(
      'bad_request',
      "X-Callback-Url is not supported here: the address could be anyone's.",
    );
  }
}

function sendAnswer(response: ServerResponse, call: Call, answer: FunctionAnswer): void {
  const headers: Record<string, string | string[]> = {};
  for (const name in answer.headers) {
    const lower = name.toLowerCase();
    if (!CONNECTION_HEADERS.has(lower)) headers[lower] = answer.headers[name]!;
  }
  const bodiless = answer.status === 204 || answer.status === 304;
  if (!bodiless) {
    if (answer.defaultType !== '') headers['content-type'] ??= answer.defaultType;
    headers['content-length'] = String(answer.body.length);
  }
  response.writeHead(answer.status, { ...headers, ...callHeaders(call, true) });
  response.end(bodiless ? undefined : answer.body);
}

function sendProblem(response: ServerResponse, call: Call, error: AimaError): void {
  const body = JSON.stringify(problemOf(error, call.id));
  const headers = { ...problemHeaders(error), ...callHeaders(call, true) };
  response.writeHead(error.row.httpStatus, headers).end(body);
}
