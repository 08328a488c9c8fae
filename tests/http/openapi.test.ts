import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { AimaError } from '../../functions/core/errors.ts';
import { defineFunction } from '../../functions/core/http/function.ts';
import { openApiDocument } from '../../functions/core/http/openapi.ts';
import { type Route, route } from '../../functions/core/http/route.ts';
import { call } from './call.ts';

const Author = z.object({ name: z.string() }).meta({ id: 'Author' });
const Book = z
  .object({ id: z.string(), at: z.iso.datetime(), pages: z.int().default(1), author: Author })
  .meta({ id: 'Book', description: 'A book' });

const books = defineFunction({
  name: 'books',
  authenticate: () => ({ kind: 'user', userId: 'u1' }),
  routes: [
    route('GET', '/', {
      caller: 'user',
      summary: 'List books',
      query: z.object({
        limit: z.coerce.number().int().min(1).max(100).default(20).meta({ description: 'Most of them' }),
        author: z.string().optional(),
      }),
      responses: { 200: { description: 'A page', schema: z.object({ items: z.array(Book) }) } },
      handle: () => ({ items: [{ id: 'b', at: '2026-01-01T00:00:00Z', pages: 3, author: { name: 'n' } }] }),
    }),
    route('POST', '/', {
      caller: 'user',
      summary: 'Add a book',
      description: 'At once.',
      headers: z.object({ 'idempotency-key': z.string().max(200).optional() }),
      body: Book,
      responses: { 201: { description: 'Added', schema: Book } },
      errors: ['conflict', 'idempotency_conflict'],
      handle: ({ body }) => body,
    }),
    route('POST', '/', { caller: 'connector', summary: 'Event', responses: {}, handle: () => undefined }),
    route('GET', '/:id/text', {
      caller: 'user',
      summary: 'The text',
      params: z.object({ id: z.string() }),
      responses: { 200: { description: 'Text', contentType: 'text/plain' }, 204: { description: 'Empty' } },
      errors: ['not_found'],
      handle: () => {
        throw new AimaError('not_found', 'No such book.');
      },
    }),
    route('GET', '/openapi.json', { caller: 'anyone', summary: 'This', responses: {}, handle: () => ({}) }),
  ],
});

interface Operation {
  operationId: string;
  security: unknown[];
  parameters: Array<{ name: string; in: string; required: boolean; schema: object; description?: string }>;
  requestBody?: { required: boolean; content: Record<string, { schema: object }> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: object }> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

const documentOf = (functions: (typeof books.definition)[]) =>
  openApiDocument({
    title: 'Books',
    version: '1',
    servers: ['http://127.0.0.1:8080'],
    functions,
  }) as unknown as Document;
const document = documentOf([books.definition]);
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
);

/** A schema of the document with all components beside it, so that its references resolve. */
function validator(schema: object) {
  const text = JSON.stringify({ ...schema, $defs: document.components.schemas });
  const ajv = new Ajv2020({ strict: true, validateFormats: false });
  return ajv.compile(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')));
}

describe('the document', () => {
  test('has the paths of the gateway, without the connector’s routes', () => {
    expect(document.openapi).toBe('3.1.1');
    expect(operations.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'get /function/books',
      'post /function/books',
      'get /function/books/{id}/text',
      'get /function/books/openapi.json',
    ]);
    expect(document.paths['/function/books']!.post).toMatchObject({
      summary: 'Add a book',
      description: 'At once.',
    });
  });

  test('has one id for each operation', () => {
    const ids = operations.map((operation) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toContain('booksGetIdText');
  });

  test('declares exactly the parameters in the paths', () => {
    for (const { path, parameters } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const declared = parameters.filter((parameter) => parameter.in === 'path');
      expect(declared.map((parameter) => parameter.name)).toEqual(inPath);
      expect(declared.every((parameter) => parameter.required)).toBe(true);
    }
  });

  test('describes query and headers', () => {
    expect(document.paths['/function/books']!.get!.parameters).toEqual([
      expect.objectContaining({ name: 'limit', in: 'query', required: false, description: 'Most of them' }),
      expect.objectContaining({ name: 'author', in: 'query', required: false }),
    ]);
    expect(document.paths['/function/books']!.post!.parameters).toEqual([
      expect.objectContaining({ name: 'idempotency-key', in: 'header', required: false }),
    ]);
  });

  test('has only schemas that compile, and references that resolve', () => {
    const schemas = operations.flatMap(({ parameters, requestBody, responses }) => [
      ...parameters.map((parameter) => parameter.schema),
      ...Object.values(requestBody?.content ?? {}).map((media) => media.schema),
      ...Object.values(responses).flatMap((one) =>
        Object.values(one.content ?? {}).flatMap((media) => media.schema ?? []),
      ),
      ...Object.values(document.components.schemas),
    ]);
    expect(schemas.length).toBeGreaterThan(10);
    for (const schema of schemas) expect(() => validator(schema)).not.toThrow();
  });

  test('tells input from output where they differ', () => {
    const { requestBody, responses } = document.paths['/function/books']!.post!;
    expect(requestBody!.required).toBe(true);
    const input = validator(requestBody!.content['application/json']!.schema);
    const output = validator(responses['201']!.content!['application/json']!.schema!);
    const withoutPages = { id: 'b', at: '2026-01-01T00:00:00Z', author: { name: 'n' } };
    expect(input(withoutPages)).toBe(true);
    expect(output(withoutPages)).toBe(false);
    expect(output({ ...withoutPages, pages: 2 })).toBe(true);
    expect(Object.keys(document.components.schemas).sort()).toEqual([
      'Author',
      'AuthorInput',
      'Book',
      'BookInput',
      'Problem',
    ]);
  });

  test('says who may call and how it can fail', () => {
    const post = document.paths['/function/books']!.post!;
    expect(post.security).toEqual([{ token: [] }]);
    expect(document.paths['/function/books/openapi.json']!.get!.security).toEqual([]);
    expect(Object.keys(post.responses).sort()).toEqual([
      '201',
      '400',
      '401',
      '403',
      '409',
      '413',
      '415',
      '500',
      '504',
    ]);
    expect(post.responses['409']!.description).toContain('idempotency_conflict');
  });

  test('fits what the function answers', async () => {
    const list = await call(books, 'GET', '/');
    const { responses } = document.paths['/function/books']!.get!;
    expect(validator(responses['200']!.content!['application/json']!.schema!)(list.json())).toBe(true);

    const missing = await call(books, 'GET', '/7/text');
    const media = document.paths['/function/books/{id}/text']!.get!.responses[missing.status]!.content!;
    const { schema } = media[String(missing.headers['content-type'])]!;
    expect(validator(schema!)(missing.json())).toBe(true);
    expect(validator(schema!)({ ...missing.json(), callId: undefined, code: 7 })).toBe(false);
  });
});

describe('schemas that cannot be said', () => {
  const of = (schema: z.ZodType): Route[] => [
    route('GET', '/', {
      caller: 'anyone',
      summary: 'x',
      responses: { 200: { description: 'x', schema } },
      handle: () => 1,
    }),
  ];

  test('a date is refused, not described wrongly', () => {
    expect(() => documentOf([{ name: 'x', routes: of(z.object({ at: z.date() })) }])).toThrow();
  });

  test('a recursive schema needs an id, and works with one', () => {
    const nameless: z.ZodType = z.object({
      get inner() {
        return nameless.optional();
      },
    });
    expect(() => documentOf([{ name: 'x', routes: of(nameless) }])).toThrow('meta');
    const named: z.ZodType = z
      .object({
        get inner() {
          return named.optional();
        },
      })
      .meta({ id: 'Tree' });
    expect(JSON.stringify(documentOf([{ name: 'x', routes: of(named) }]))).toContain(
      '"$ref":"#/components/schemas/Tree"',
    );
  });
});
