/**
 * The wrapper around every function.
 *
 * A function is a name and routes. `defineFunction` makes of them the `(event, context)` handler
 * that OpenFaaS's node template calls, and closes that template's traps: there a throw answers
 * 200 with the error's text, malformed JSON answers HTML with a stack trace, objects go out as
 * text/html. Here every failure becomes a problem document with the right status.
 *
 * The order of the checks: path (404), method (405), token (401), caller (403), then the
 * parameters, query and headers (400), the body (413, 415, 400), and only then the route's code.
 * The schemas that check a request are the same that describe it (openapi.ts).
 */
import { randomUUID } from 'node:crypto';
import { AimaError, asAimaError } from '../errors.ts';
import { createLog, type Log, stackOf, withLogFields } from '../log.ts';
import type { Authenticate, Caller } from './caller.ts';
import type { FunctionContext, FunctionEvent } from './contract.ts';
import { problemHeaders, problemOf } from './problem.ts';
import { type Answer, Reply, render } from './reply.ts';
import { check, type RequestHeaders, readHeaders, readJson } from './request.ts';
import type { Route } from './route.ts';
import { createRouter, pathParams, type Router } from './router.ts';

export interface FunctionDefinition {
  /** As in stack.yml. */
  name: string;
  routes: readonly Route[];
}

export interface FunctionOptions extends FunctionDefinition {
  authenticate: Authenticate;
}

/** The handler that a function's `handler.ts` exports as its default. It never throws. */
export interface DefinedFunction {
  (event: FunctionEvent, context: FunctionContext): Promise<void>;
  definition: FunctionDefinition;
}

/** @throws Error where two routes clash. */
export function defineFunction({ name, routes, authenticate }: FunctionOptions): DefinedFunction {
  const router = createRouter(routes);
  const handler = async (event: FunctionEvent, context: FunctionContext): Promise<void> => {
    const headers = readHeaders(event);
    const callId = headers['x-call-id'] ?? randomUUID();
    const fields = { function: name, callId };
    const answer = await withLogFields(fields, () =>
      answerOf(router, authenticate, event, headers, callId, createLog(fields)),
    );
    context.status(answer.status).headers(answer.headers).succeed(answer.body);
  };
  return Object.assign(handler, { definition: { name, routes } });
}

async function answerOf(
  router: Router,
  authenticate: Authenticate,
  event: FunctionEvent,
  headers: RequestHeaders,
  callId: string,
  log: Log,
): Promise<Answer> {
  try {
    return render(await dispatch(router, authenticate, event, headers, callId, log));
  } catch (thrown) {
    return renderProblem(asAimaError(thrown), event, callId, log);
  }
}

async function dispatch(
  router: Router,
  authenticate: Authenticate,
  event: FunctionEvent,
  headers: RequestHeaders,
  callId: string,
  log: Log,
): Promise<unknown> {
  if (event.method === 'OPTIONS') return optionsOf(router, event.path);
  const candidates = router.find(event.method, event.path);
  const { route, caller } = await admit(candidates, headers, authenticate);
  const params = check('path', route.params, pathParams(route, event.path));
  const query = check('query', route.query, { ...event.query });
  if (route.headers !== undefined) check('headers', route.headers, { ...headers });
  const body =
    route.body === undefined
      ? undefined
      : check('body', route.body, readJson(event, headers, route.maxBodyBytes));
  return route.handle({ caller, params, query, body, headers, callId, log });
}

function optionsOf(router: Router, path: string): Reply {
  const methods = router.methodsOf(path);
  if (methods.length === 0) throw new AimaError('not_found', `There is nothing at ${path}.`);
  return new Reply({ headers: { allow: methods.join(', ') } });
}

/** Picks the route that the caller may use. The router refuses sets in which `anyone` is one of several. */
async function admit(
  routes: Route[],
  headers: RequestHeaders,
  authenticate: Authenticate,
): Promise<{ route: Route; caller: Caller | null }> {
  const [first] = routes;
  if (first!.caller === 'anyone') return { route: first!, caller: null };
  const caller = await authenticate(headers);
  const route = routes.find((candidate) => candidate.caller === caller.kind);
  if (route === undefined) throw new AimaError('forbidden', `This is not for a ${caller.kind}.`);
  return { route, caller };
}

/** An error whose data is no JSON must not become a throw: the template would answer that with 200. */
function renderProblem(error: AimaError, event: FunctionEvent, callId: string, log: Log): Answer {
  try {
    return problemAnswer(error, event, callId, log);
  } catch (thrown) {
    return problemAnswer(asAimaError(thrown), event, callId, log);
  }
}

/** A 5xx is ours: the log gets all of it, the caller a call id to ask about. */
function problemAnswer(error: AimaError, event: FunctionEvent, callId: string, log: Log): Answer {
  const { code, data, row } = error;
  if (row.httpStatus >= 500) {
    const { method, path } = event;
    log.error('request failed', { code, method, path, data, stack: stackOf(error) });
  }
  return render(
    new Reply({ status: row.httpStatus, headers: problemHeaders(error), body: problemOf(error, callId) }),
  );
}
