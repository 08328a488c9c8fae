/**
 * The OpenAPI 3.1 document of functions, made from the definitions that serve them: nothing in it
 * is written twice. Routes for our connector are left out, they are no interface for people.
 *
 * Schemas with a `meta({ id })` become components; where input and output of one id differ, the
 * second one is named `<id>Input` or `<id>Output`.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../errors.ts';
import type { FunctionDefinition } from './function.ts';
import { inherentErrors, PROBLEM_TYPE, Problem } from './problem.ts';
import type { Route } from './route.ts';

export interface OpenApiOptions {
  title: string;
  version: string;
  description?: string;
  /** Addresses of the gateway, such as http://127.0.0.1:8080. */
  servers: string[];
  functions: readonly FunctionDefinition[];
}

type JsonObject = Record<string, unknown>;

/** @throws Error where a schema cannot be said in JSON Schema. */
export function openApiDocument({
  title,
  version,
  description,
  servers,
  functions,
}: OpenApiOptions): JsonObject {
  const components = new Components();
  const paths: Record<string, JsonObject> = {};
  for (const { name, routes } of functions) {
    for (const route of routes.filter((each) => each.caller !== 'connector')) {
      const path = `/function/${name}${route.path.replace(/\/$/, '').replace(/[:*]([A-Za-z]\w*)/g, '{$1}')}`;
      paths[path] ??= {};
      paths[path][route.method.toLowerCase()] = operation(name, route, components);
    }
  }
  return {
    openapi: '3.1.1',
    info: { title, version, ...(description === undefined ? {} : { description }) },
    servers: servers.map((url) => ({ url })),
    paths,
    components: {
      schemas: components.schemas,
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  };
}

function operation(functionName: string, route: Route, components: Components): JsonObject {
  const { summary, description, body } = route;
  return {
    operationId: operationId(functionName, route),
    tags: [functionName],
    summary,
    ...(description === undefined ? {} : { description }),
    security: route.caller === 'anyone' ? [] : [{ token: [] }],
    parameters: [
      ...parameters('path', route.params, components),
      ...parameters('query', route.query, components),
      ...(route.headers === undefined ? [] : parameters('header', route.headers, components)),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: !body.safeParse(undefined).success,
            content: { 'application/json': { schema: components.schemaOf(body, 'input') } },
          },
        }),
    responses: { ...answers(route, components), ...problems(route, components) },
  };
}

/** Unique by construction: function, method, path. */
function operationId(functionName: string, route: Route): string {
  const words = `${functionName} ${route.method.toLowerCase()} ${route.path}`.match(/[A-Za-z0-9]+/g)!;
  return words.map((word, i) => (i === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('');
}

function parameters(
  place: 'path' | 'query' | 'header',
  schema: z.ZodObject,
  components: Components,
): JsonObject[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const type = field as z.ZodType;
    return {
      name,
      in: place,
      required: place === 'path' || !type.safeParse(undefined).success,
      ...(type.description === undefined ? {} : { description: type.description }),
      schema: components.schemaOf(type, 'input'),
    };
  });
}

function answers(route: Route, components: Components): JsonObject {
  const entries = Object.entries(route.responses).map(([status, document]) => {
    const { description, schema, contentType = 'application/json' } = document;
    if (schema === undefined && document.contentType === undefined) return [status, { description }];
    const media = schema === undefined ? {} : { schema: components.schemaOf(schema, 'output') };
    return [status, { description, content: { [contentType]: media } }];
  });
  return Object.fromEntries(entries);
}

function problems(route: Route, components: Components): JsonObject {
  const input = [route.params, route.query, route.headers].some(
    (schema) => schema !== undefined && Object.keys(schema.shape).length > 0,
  );
  const takes = { input, body: route.body !== undefined, token: route.caller !== 'anyone' };
  const codes = new Set<ErrorCode>([...inherentErrors(takes), ...(route.errors ?? [])]);
  const byStatus = Map.groupBy(codes, (code) => ERRORS[code].httpStatus);
  const content = { [PROBLEM_TYPE]: { schema: components.schemaOf(Problem, 'output') } };
  const entries = [...byStatus].map(([status, list]) => {
    const description = list.map((code) => `\`${code}\`: ${ERRORS[code].title}.`).join(' ');
    return [status, { description, content }];
  });
  return Object.fromEntries(entries);
}

/** The schemas with names, collected while the operations are written. */
class Components {
  readonly schemas: Record<string, unknown> = {};

  /** JSON Schema (draft 2020-12, what OpenAPI 3.1 speaks) with references into the components. */
  schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
    const { $schema: _, $defs = {}, ...json } = z.toJSONSchema(schema, { io });
    const names = new Map(
      Object.entries($defs).map(([id, definition]) => [id, this.#nameOf(id, definition, io)]),
    );
    for (const [id, name] of names) this.schemas[name] = relink($defs[id], names);
    return relink(json, names) as JsonObject;
  }

  #nameOf(id: string, definition: unknown, io: 'input' | 'output'): string {
    if (id.startsWith('__')) throw new Error('A recursive schema needs a meta({ id }).');
    const same = new Map([[id, id]]);
    const taken = this.schemas[id];
    if (taken === undefined || isDeepStrictEqual(taken, relink(definition, same))) return id;
    return id + (io === 'input' ? 'Input' : 'Output');
  }
}

/** A copy in which `#/$defs/<id>` points into the components. */
function relink(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((each) => relink(each, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key !== '$ref' || typeof inner !== 'string') return [key, relink(inner, names)];
      if (!inner.startsWith('#/$defs/')) throw new Error('A recursive schema needs a meta({ id }).');
      const id = inner.slice('#/$defs/'.length);
      return [key, `#/components/schemas/${names.get(id) ?? id}`];
    }),
  );
}
