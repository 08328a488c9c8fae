/**
 * What OpenFaaS's node22 template hands to a function and takes from it, with RAW_BODY=true
 * (github.com/openfaas/templates, template/node22/index.js). The only file of the core that
 * knows OpenFaaS's shape; the local gateway calls handlers by it too.
 */
import type { IncomingHttpHeaders } from 'node:http';

export interface FunctionEvent {
  /** A Buffer under RAW_BODY=true; undefined or `{}` where the request has no body. */
  body: unknown;
  /** Names in lower case. */
  headers: IncomingHttpHeaders;
  method: string;
  /** A repeated name gives an array. */
  query: Record<string, string | string[] | undefined>;
  /** Still percent-encoded, begins with `/`, without the `/function/<name>` before it. */
  path: string;
}

export type HeaderValues = Record<string, string | string[]>;

export interface FunctionContext {
  status(): number;
  status(code: number): FunctionContext;
  headers(): HeaderValues;
  headers(values: HeaderValues): FunctionContext;
  succeed(value?: unknown): void;
  fail(error: unknown): void;
}

export type FunctionHandler = (event: FunctionEvent, context: FunctionContext) => unknown;
