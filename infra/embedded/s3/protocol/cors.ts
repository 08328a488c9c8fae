import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Cross-origin access, one list of origins for the whole server as MinIO has it (its PutBucketCors is not
 * implemented either). Default `*`: every request is signed, so an origin alone opens nothing.
 */

const EXPOSED =
  'ETag, Content-Range, Content-Length, Accept-Ranges, Last-Modified, Location, x-amz-request-id';
const MAXIMUM_AGE_SECONDS = 600;

/** Sets the headers for an allowed origin. @returns whether the origin is allowed */
export function allowOrigin(
  origins: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  const { origin } = request.headers;
  response.setHeader('vary', 'Origin');
  if (origin === undefined || !(origins.includes('*') || origins.includes(origin))) return false;
  response.setHeader('access-control-allow-origin', origins.includes('*') ? '*' : origin);
  response.setHeader('access-control-expose-headers', EXPOSED);
  return true;
}

/** Answers a preflight request from an origin, allowed or not. */
export function answerPreflight(allowed: boolean, request: IncomingMessage, response: ServerResponse): void {
  if (!allowed || request.headers['access-control-request-method'] === undefined) {
    response.writeHead(403, { 'content-length': 0 }).end();
    return;
  }
  response.writeHead(204, {
    'access-control-allow-methods': 'GET, HEAD, PUT, POST, DELETE',
    'access-control-allow-headers': request.headers['access-control-request-headers'] ?? '*',
    'access-control-max-age': String(MAXIMUM_AGE_SECONDS),
  });
  response.end();
}
