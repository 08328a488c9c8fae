/** Answers: from what a handler gave to the bytes and headers on the wire. */

export interface ReplyOptions {
  /** Default 200, or 204 without a body. */
  status?: number;
  headers?: Record<string, string | string[]>;
  /** Bytes and strings go out as they are, anything else as JSON. */
  body?: unknown;
}

/** An answer with a status or headers of its own. A class, so that no plain value is taken for one. */
export class Reply {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
  readonly body: unknown;

  constructor({ status, headers = {}, body }: ReplyOptions) {
    this.status = status ?? (body === undefined ? 204 : 200);
    this.headers = headers;
    this.body = body;
  }
}

export function reply(options: ReplyOptions): Reply {
  return new Reply(options);
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[]>;
  body: Buffer;
}

/** What every answer carries unless it says otherwise: no guessing of types, no copies in caches. */
const DEFAULT_HEADERS = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };

/**
 * The bytes of a handler's result. The body is always a Buffer, because Express changes the
 * Content-Type of strings and the template sends objects as text/html.
 *
 * @throws TypeError where the result is not representable in JSON.
 */
export function render(result: unknown): Answer {
  const { status, headers, body } = result instanceof Reply ? result : new Reply({ body: result });
  const own: Record<string, string | string[]> = { ...DEFAULT_HEADERS };
  for (const [name, value] of Object.entries(headers)) own[name.toLowerCase()] = value;
  if (body === undefined) return { status, headers: own, body: Buffer.alloc(0) };
  if (body instanceof Uint8Array) {
    own['content-type'] ??= 'application/octet-stream';
    return { status, headers: own, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
  }
  if (typeof body === 'string') {
    own['content-type'] = withCharset(own['content-type'] ?? 'text/plain');
    return { status, headers: own, body: Buffer.from(body) };
  }
  own['content-type'] ??= 'application/json';
  return { status, headers: own, body: Buffer.from(JSON.stringify(body)) };
}

function withCharset(type: string | string[]): string {
  const single = String(type);
  return /^text\//i.test(single) && !/charset=/i.test(single) ? `${single}; charset=utf-8` : single;
}
