/** A route: what it takes, who may call it, what it answers, and the code behind it. */
import { z } from 'zod';
import type { ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Audience, Caller, CallerOf } from './caller.ts';
import type { Reply } from './reply.ts';
import type { RequestHeaders } from './request.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What a handler gets: everything checked already. */
export interface RouteRequest<Who extends Audience, Params, Query, Body> {
  caller: CallerOf<Who>;
  params: Params;
  query: Query;
  body: Body;
  headers: RequestHeaders;
  /** X-Call-Id of the gateway: one id for one request in all logs. */
  callId: string;
  log: Log;
}

export interface ResponseDocument {
  description: string;
  /** Of the JSON; left out where there is none. */
  schema?: z.ZodType;
  /** Default application/json. */
  contentType?: string;
}

interface RouteDocument {
  summary: string;
  description?: string;
  /** By status. Problems need no entry here. */
  responses: Record<number, ResponseDocument>;
  /** Codes it may fail with, beside those that every route can. */
  errors?: ErrorCode[];
  /** Largest body in bytes, default 262,144. */
  maxBodyBytes?: number;
}

export interface RouteOptions<
  Who extends Audience,
  Params extends z.ZodObject,
  Query extends z.ZodObject,
  Body extends z.ZodType,
> extends RouteDocument {
  caller: Who;
  /** Must have exactly the names in the path. */
  params?: Params;
  query?: Query;
  /** Of the JSON body. Without it a body is not looked at. */
  body?: Body;
  /** Headers it reads, by their lower-case names: checked and documented, passed on as they came. */
  headers?: z.ZodObject;
  /** Gives a `reply(…)`, or a plain value: 200 with it as JSON, 204 where it is undefined. */
  handle(request: RouteRequest<Who, z.output<Params>, z.output<Query>, z.output<Body>>): unknown;
}

/** A route with its types erased, as the router and the OpenAPI document see it. */
export interface Route extends RouteDocument {
  method: Method;
  path: string;
  caller: Audience;
  params: z.ZodObject;
  query: z.ZodObject;
  body?: z.ZodType;
  headers?: z.ZodObject;
  maxBodyBytes: number;
  handle(request: ErasedRequest): Promise<Reply | unknown>;
}

export interface ErasedRequest {
  caller: Caller | null;
  params: unknown;
  query: unknown;
  body: unknown;
  headers: RequestHeaders;
  callId: string;
  log: Log;
}

type Nothing = z.ZodObject<Record<never, never>>;
const DEFAULT_MAX_BODY_BYTES = 256 * 1024;

/**
 * Declares a route. In `path`, `:name` is one segment and `*name` at the end the whole rest;
 * both arrive decoded in `params`.
 *
 * @example
 * route('GET', '/:id/result', {
 *   caller: 'user',
 *   summary: 'The result of a job',
 *   params: z.object({ id: JobId }),
 *   responses: { 200: { description: 'All rows', schema: ResultDocument } },
 *   handle: ({ params, caller }) => results.read(caller.userId, params.id),
 * })
 * @throws Error where the names in the path and in `params` differ.
 */
export function route<
  Who extends Audience,
  Params extends z.ZodObject = Nothing,
  Query extends z.ZodObject = Nothing,
  Body extends z.ZodType = z.ZodUndefined,
>(method: Method, path: string, options: RouteOptions<Who, Params, Query, Body>): Route {
  const params = options.params ?? z.object({});
  const inPath = [...path.matchAll(/[:*]([A-Za-z]\w*)/g)].map((match) => match[1]!);
  const declared = Object.keys(params.shape);
  if (inPath.toSorted().join() !== declared.toSorted().join()) {
    throw new Error(`${method} ${path}: params must be {${inPath.join(', ')}}, not {${declared.join(', ')}}`);
  }
  return {
    ...options,
    method,
    path,
    params,
    query: options.query ?? z.object({}),
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    // The schemas checked these values before: the wrapper calls it in no other way.
    handle: async (request) => options.handle(request as Parameters<typeof options.handle>[0]),
  };
}
