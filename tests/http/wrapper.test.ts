import { afterEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { AimaError } from '../../functions/core/errors.ts';
import { bearerToken, type Caller } from '../../functions/core/http/caller.ts';
import { defineFunction } from '../../functions/core/http/function.ts';
import { Problem } from '../../functions/core/http/problem.ts';
import { reply } from '../../functions/core/http/reply.ts';
import { type RouteOptions, route } from '../../functions/core/http/route.ts';
import { call } from './call.ts';

const CALLERS: Record<string, Caller> = {
  'user-token': { kind: 'user', userId: 'u1' },
  'connector-token': { kind: 'connector' },
};
const USER = { headers: { authorization: 'Bearer user-token' } };
const CONNECTOR = { headers: { authorization: 'Bearer connector-token' } };

const options = { name: 'test', authenticate };
function authenticate(headers: Record<string, string | undefined>): Caller {
  const caller = CALLERS[bearerToken(headers)];
  if (caller === undefined) throw new AimaError('unauthorized', 'The token is unknown.');
  return caller;
}

const ok = { responses: { 200: { description: 'ok' } } };
/** A function of one open route, for what happens behind it. */
function open(
  handle: RouteOptions<'anyone', z.ZodObject, z.ZodObject, z.ZodType>['handle'],
  body?: z.ZodType,
) {
  const described = { caller: 'anyone', summary: 'x', ...ok, handle } as const;
  return defineFunction({
    ...options,
    routes: [route('POST', '/', body === undefined ? described : { ...described, body, maxBodyBytes: 100 })],
  });
}

const quiet = () => vi.spyOn(console, 'error').mockImplementation(() => {});
afterEach(() => vi.restoreAllMocks());

describe('answers', () => {
  test('a plain value is JSON, whatever its keys are', async () => {
    const handler = open(() => ({ status: 'queued', headers: 3, body: 'x' }));
    const called = await call(handler, 'POST', '/');
    expect(called.status).toBe(200);
    expect(called.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' });
    expect(called.json()).toEqual({ status: 'queued', headers: 3, body: 'x' });
  });

  test('nothing is 204', async () => {
    expect(
      await call(
        open(() => undefined),
        'POST',
        '/',
      ),
    ).toMatchObject({ status: 204, text: '' });
  });

  test('a reply has its own status and headers; text says its charset', async () => {
    const vtt = open(() => reply({ body: 'WEBVTT', headers: { 'Content-Type': 'text/vtt' } }));
    expect((await call(vtt, 'POST', '/')).headers['content-type']).toBe('text/vtt; charset=utf-8');
    const made = open(() =>
      reply({ status: 201, headers: { Location: '/7', 'Cache-Control': 'private' }, body: 'ä' }),
    );
    const called = await call(made, 'POST', '/');
    expect(called).toMatchObject({ status: 201, text: 'ä' });
    expect(called.headers).toMatchObject({
      location: '/7',
      'cache-control': 'private',
      'content-type': 'text/plain; charset=utf-8',
    });
  });

  test('bytes go out as they are', async () => {
    const called = await call(
      open(() => reply({ body: new Uint8Array([65, 66]) })),
      'POST',
      '/',
    );
    expect(called).toMatchObject({ text: 'AB', headers: { 'content-type': 'application/octet-stream' } });
  });
});

describe('failures', () => {
  test.each([
    [
      'a throw',
      () => {
        throw new Error('secret');
      },
    ],
    [
      'a rejection',
      async () => {
        throw new TypeError('secret');
      },
    ],
    [
      'a thrown string',
      () => {
        throw 'secret';
      },
    ],
    ['a result that is no JSON', () => ({ big: 1n, secret: true })],
    [
      'an error whose data is no JSON',
      () => {
        throw new AimaError('conflict', 'secret', { data: { big: 1n } });
      },
    ],
    [
      'an AimaError of ours',
      () => {
        throw new AimaError('internal', 'secret', { data: { password: 'secret' } });
      },
    ],
  ])('%s is a 500 that shows no internals and is logged with the call id', async (_, handle) => {
    const log = quiet();
    const called = await call(open(handle), 'POST', '/');
    expect(called.status).toBe(500);
    expect(called.headers['content-type']).toBe('application/problem+json');
    expect(Problem.parse(called.json())).toMatchObject({
      code: 'internal',
      retry: 'later',
      callId: 'call-1',
    });
    expect(called.text).not.toContain('secret');
    const line = JSON.parse(log.mock.calls.at(-1)![0] as string);
    expect(line).toMatchObject({ level: 'error', function: 'test', callId: 'call-1', code: 'internal' });
  });

  test('the log has the cause', async () => {
    const log = quiet();
    const handler = open(() => {
      throw new AimaError('database_unavailable', 'no connection', { cause: new Error('ECONNREFUSED') });
    });
    expect(await call(handler, 'POST', '/')).toMatchObject({ status: 503 });
    expect(log.mock.calls[0]![0]).toContain('ECONNREFUSED');
  });

  test('a 4xx says what is wrong, with its data, and is no line in the log', async () => {
    const log = quiet();
    const handler = open(() => {
      throw new AimaError('wrong_state', 'The job has ended.', { data: { state: 'failed', status: 1 } });
    });
    const called = await call(handler, 'POST', '/');
    expect(called.status).toBe(409);
    expect(called.json()).toMatchObject({
      type: 'urn:aima:error:wrong_state',
      detail: 'The job has ended.',
      state: 'failed',
      status: 409,
    });
    expect(log).not.toHaveBeenCalled();
  });

  test('Retry-After where it is known', async () => {
    const handler = open(() => {
      throw new AimaError('too_many_requests', 'Slower.', { data: { retryAfterSeconds: 1.2 } });
    });
    expect((await call(handler, 'POST', '/')).headers['retry-after']).toBe('2');
  });
});

describe('bodies', () => {
  const handler = open(
    ({ body }) => ({ got: body }),
    z.object({ a: z.number(), files: z.array(z.object({ name: z.string() })).optional() }).optional(),
  );
  const post = (body: unknown, type?: string, more = {}) =>
    call(handler, 'POST', '/', { body, headers: { ...(type && { 'content-type': type }), ...more } });

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'application/merge-patch+json',
    'text/plain',
    'application/x-www-form-urlencoded',
    undefined,
  ])('JSON sent as %s', async (type) => {
    expect((await post('{"a":1}', type)).json()).toEqual({ got: { a: 1 } });
  });

  test.each([
    ['image/png', {}],
    ['multipart/form-data; boundary=x', {}],
    ['application/xml', {}],
    ['application/json; charset=latin1', {}],
    ['application/json', { 'content-encoding': 'gzip' }],
  ])('%s is an unsupported type', async (type, more) => {
    expect((await post('{"a":1}', type, more)).json()).toMatchObject({
      status: 415,
      code: 'unsupported_media',
    });
  });

  test.each([undefined, {}, Buffer.alloc(0)])('none, as %s', async (body) => {
    expect((await post(body)).json()).toEqual({});
  });

  test.each(['{', 'hello', '{"a":1}}', Buffer.from([0x22, 0xff, 0x22])])('%s is not valid', async (body) => {
    const called = await post(body, 'application/json');
    expect(called.status).toBe(400);
    expect(called.json()).toMatchObject({ code: 'bad_request', detail: expect.stringMatching(/JSON|UTF-8/) });
  });

  test('too large', async () => {
    expect((await post(`{"a":1,"x":"${'x'.repeat(100)}"}`)).json()).toMatchObject({
      status: 413,
      maxBodyBytes: 100,
    });
  });

  test('with faults, each with its place', async () => {
    const called = await post('{"a":"x","files":[{"name":"n"},{}]}');
    expect(called.status).toBe(400);
    expect((called.json().errors as Array<{ path: string }>).map((fault) => fault.path)).toEqual([
      'body.a',
      'body.files[1].name',
    ]);
  });

  test('with a thousand faults: some of them', async () => {
    const many = open(() => {}, z.array(z.string()));
    const called = await call(many, 'POST', '/', { body: `[${'1,'.repeat(40)}1]` });
    expect(called.json().errors).toHaveLength(20);
    expect(called.json().detail).toContain('21 faults not listed');
  });

  test('of a union: the faults of the alternative that comes closest', async () => {
    const union = open(
      () => {},
      z.union([z.object({ url: z.url() }), z.object({ name: z.string(), size: z.int() })]),
    );
    const called = await call(union, 'POST', '/', { body: '{"name":"x","size":"y"}' });
    expect((called.json().errors as Array<{ path: string }>)[0]!.path).toMatch(/^body\.(url|size)$/);
  });

  test('parsed already mean a wrong setting: 500, not a wrong answer', async () => {
    const log = quiet();
    expect((await post({ a: 1 })).status).toBe(500);
    expect(log.mock.calls[0]![0]).toContain('RAW_BODY');
  });
});

describe('routes', () => {
  const name = (text: string) => ({ summary: text, ...ok });
  const id = z.object({ id: z.string().regex(/^[a-z0-9 ]+$/) });
  const handler = defineFunction({
    ...options,
    routes: [
      route('GET', '/:id', {
        ...name('one'),
        caller: 'user',
        params: id,
        handle: ({ params }) => ({ one: params.id }),
      }),
      route('GET', '/search', {
        ...name('search'),
        caller: 'user',
        query: z.object({ limit: z.coerce.number().int().max(100).default(20), tag: z.string().optional() }),
        headers: z.object({ 'idempotency-key': z.string().max(5).optional() }),
        handle: ({ query, caller, headers }) => ({
          query,
          user: caller.userId,
          key: headers['idempotency-key'],
        }),
      }),
      route('DELETE', '/:id', { ...name('delete'), caller: 'user', params: id, handle: () => undefined }),
      route('POST', '/', {
        ...name('submit'),
        caller: 'user',
        handle: ({ caller }) => ({ by: caller.userId }),
      }),
      route('POST', '/', {
        ...name('event'),
        caller: 'connector',
        handle: ({ headers }) => ({ topic: headers['x-topic'] }),
      }),
      route('GET', '/openapi.json', {
        ...name('document'),
        caller: 'anyone',
        handle: ({ caller }) => ({ caller }),
      }),
      route('GET', '/files/*path', {
        ...name('file'),
        caller: 'anyone',
        params: z.object({ path: z.string() }),
        handle: ({ params }) => params,
      }),
    ],
  });

  test('parameters, decoded and checked', async () => {
    expect((await call(handler, 'GET', '/a%20b', USER)).json()).toEqual({ one: 'a b' });
    expect((await call(handler, 'GET', '/abc/', USER)).json()).toEqual({ one: 'abc' });
    expect((await call(handler, 'GET', '/A', USER)).json()).toMatchObject({
      status: 400,
      errors: [{ path: 'path.id' }],
    });
    expect((await call(handler, 'GET', '/%zz', USER)).json()).toMatchObject({ status: 400 });
  });

  test('a literal wins over a parameter', async () => {
    expect((await call(handler, 'GET', '/search', USER)).json()).toMatchObject({ user: 'u1' });
  });

  test('a rest of a path', async () => {
    expect((await call(handler, 'GET', '/files/a/b%2Fc.js')).json()).toEqual({ path: 'a/b/c.js' });
    expect((await call(handler, 'GET', '/files')).status).not.toBe(200);
  });

  test('the query, with defaults and faults', async () => {
    expect((await call(handler, 'GET', '/search', USER)).json().query).toEqual({ limit: 20 });
    const called = await call(handler, 'GET', '/search', {
      ...USER,
      query: { limit: '1000', tag: ['a', 'b'] },
    });
    expect((called.json().errors as Array<{ path: string }>).map((fault) => fault.path)).toEqual([
      'query.limit',
      'query.tag',
    ]);
  });

  test('headers, found whatever their case, and checked', async () => {
    const send = (key: string) =>
      call(handler, 'GET', '/search', {
        headers: { Authorization: 'Bearer user-token', 'Idempotency-Key': key },
      });
    expect((await send('k1')).json()).toMatchObject({ key: 'k1' });
    expect((await send('too long')).json()).toMatchObject({
      status: 400,
      errors: [{ path: 'headers.idempotency-key' }],
    });
  });

  test.each(['/nope/nope', '//', '/a//b'])('%s is unknown', async (path) => {
    expect((await call(handler, 'GET', path, USER)).json()).toMatchObject({ status: 404, code: 'not_found' });
  });

  test('a method that is not there names those that are', async () => {
    const called = await call(handler, 'PUT', '/abc', USER);
    expect(called.status).toBe(405);
    expect(called.headers.allow).toBe('DELETE, GET, HEAD, OPTIONS');
  });

  test('HEAD is GET, OPTIONS tells the methods without a token', async () => {
    expect((await call(handler, 'HEAD', '/abc', USER)).status).toBe(200);
    const told = await call(handler, 'OPTIONS', '/');
    expect(told).toMatchObject({ status: 204, headers: { allow: 'OPTIONS, POST' } });
    expect((await call(handler, 'OPTIONS', '/a/b')).status).toBe(404);
  });

  test.each([undefined, 'Bearer', 'Bearer wrong', 'Basic dXNlci10b2tlbg==', 'user-token'])(
    'the token "%s" is refused',
    async (authorization) => {
      const called = await call(handler, 'GET', '/abc', {
        headers: { ...(authorization && { authorization }) },
      });
      expect(called.status).toBe(401);
      expect(called.headers['www-authenticate']).toBe('Bearer');
    },
  );

  test('who calls picks the route', async () => {
    expect((await call(handler, 'POST', '/', USER)).json()).toEqual({ by: 'u1' });
    const event = { headers: { ...CONNECTOR.headers, 'x-topic': 'aima/media/uploaded' } };
    expect((await call(handler, 'POST', '/', event)).json()).toEqual({ topic: 'aima/media/uploaded' });
    expect((await call(handler, 'GET', '/abc', CONNECTOR)).json()).toMatchObject({ status: 403 });
  });

  test('anyone needs no token, and a wrong one does no harm', async () => {
    expect((await call(handler, 'GET', '/openapi.json')).json()).toEqual({ caller: null });
    expect(
      (await call(handler, 'GET', '/openapi.json', { headers: { authorization: 'nonsense' } })).status,
    ).toBe(200);
  });

  test('an authentication that fails itself is a 500, not an open door', async () => {
    quiet();
    const handle = vi.fn();
    const failing = defineFunction({
      name: 'test',
      authenticate: () => Promise.reject(new Error('secrets folder is gone')),
      routes: [route('GET', '/', { ...name('x'), caller: 'user', handle })],
    });
    expect((await call(failing, 'GET', '/', USER)).status).toBe(500);
    expect(handle).not.toHaveBeenCalled();
  });

  test('mistakes in routes show when they are defined', () => {
    const one = { ...name('x'), caller: 'user', handle: () => 1 } as const;
    expect(() => route('GET', '/:id', one)).toThrow('params');
    expect(() => route('GET', '/', { ...one, params: id })).toThrow('params');
    const twice = [
      route('GET', '/:id', { ...one, params: id }),
      route('GET', '/:key', { ...one, params: z.object({ key: z.string() }) }),
    ];
    expect(() => defineFunction({ ...options, routes: twice })).toThrow('same requests');
    const mixed = [route('GET', '/', one), route('GET', '/', { ...one, caller: 'anyone' })];
    expect(() => defineFunction({ ...options, routes: mixed })).toThrow('same requests');
  });
});
