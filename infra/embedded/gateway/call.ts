/** A request for a function, taken apart as OpenFaaS's gateway does it. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { parse as parseQuery } from 'node:querystring';
import type { FunctionEvent } from '../../../functions/core/http/contract.ts';

export interface Target {
  /** As it was written, perhaps with a namespace behind a dot. */
  name: string;
  /** The rest of the path, percent-encoded, at least `/`. */
  path: string;
  queryText: string;
}

/** Takes `<prefix><name>[/path][?query]` apart; null where the name is none. */
export function parseTarget(url: string, prefix: string): Target | null {
  const question = url.indexOf('?');
  const pathEnd = question === -1 ? url.length : question;
  const slash = url.indexOf('/', prefix.length);
  const nameEnd = slash === -1 || slash > pathEnd ? pathEnd : slash;
  const name = url.slice(prefix.length, nameEnd);
  if (!/^[-\w.]+$/.test(name)) return null;
  const queryText = question === -1 ? '' : url.slice(question + 1);
  return { name, path: url.slice(nameEnd, pathEnd) || '/', queryText };
}

export interface Call {
  id: string;
  startedAtMs: number;
  /** For the duration: unlike the date it never jumps. */
  startedTick: number;
}

/** Ids that callers may give: they come back in headers and stand in logs. */
const CALL_ID = /^[\w.:-]{1,64}$/;

export function startCall(request: IncomingMessage): Call {
  const given = request.headers['x-call-id'];
  const id = typeof given === 'string' && CALL_ID.test(given) ? given : randomUUID();
  return { id, startedAtMs: Date.now(), startedTick: performance.now() };
}

/** The call's headers for the caller; `finished` adds how long it took. */
export function callHeaders(call: Call, finished: boolean): Record<string, string> {
  return {
    'x-call-id': call.id,
    'x-start-time': startTimeNs(call),
    ...(finished ? { 'x-duration-seconds': durationSeconds(call) } : {}),
  };
}

export function durationSeconds(call: Call): string {
  return ((performance.now() - call.startedTick) / 1_000).toFixed(6);
}

/** What the function gets to see. The headers keep all that the caller sent. */
export function eventOf(
  request: IncomingMessage,
  method: string,
  target: Target,
  call: Call,
  body: Buffer,
): FunctionEvent {
  const { headers, socket } = request;
  headers['x-call-id'] = call.id;
  headers['x-start-time'] = startTimeNs(call);
  headers['x-forwarded-host'] ??= headers.host ?? '';
  headers['x-forwarded-for'] ??= addressOf(socket.remoteAddress ?? '', socket.remotePort ?? 0);
  // The template does this too, so that Express hands over a body without a type.
  headers['content-type'] ??= 'text/plain';
  return { body, headers, method, query: queryOf(target.queryText), path: target.path };
}

/** Unix time in nanoseconds: 19 digits, more than a number holds. */
function startTimeNs(call: Call): string {
  return `${call.startedAtMs}000000`;
}

function queryOf(text: string): FunctionEvent['query'] {
  return text === '' ? {} : parseQuery(text);
}

/** With the port, as Go writes addresses. */
function addressOf(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
