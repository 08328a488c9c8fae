import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Credential } from '../auth/access.ts';
import type { Payload } from '../auth/authenticate.ts';
import { S3Error } from './errors.ts';

export type Headers = Record<string, string | undefined>;

/** A request with its address taken apart, not yet authenticated. */
export interface S3Request {
  id: string;
  incoming: IncomingMessage;
  response: ServerResponse;
  method: string;
  /** Decoded; what signatures cover. */
  path: string;
  /** '' for the service itself. */
  bucket: string;
  /** '' for the bucket itself. */
  key: string;
  /** Decoded pairs in their order. */
  queryPairs: ReadonlyArray<readonly [name: string, value: string]>;
  query: ReadonlyMap<string, string>;
  /** Lower-case names; repeated headers joined by a comma. */
  headers: Headers;
}

/** A request whose sender is known. */
export interface SignedRequest extends S3Request {
  credential: Credential;
  payload: Payload;
}

/**
 * Takes a request apart. Only path-style addresses are served: `/bucket/key`.
 * @throws {S3Error} InvalidURI
 */
export function readRequest(incoming: IncomingMessage, response: ServerResponse): S3Request {
  const url = incoming.url ?? '';
  const questionMark = url.indexOf('?');
  const rawPath = questionMark < 0 ? url : url.slice(0, questionMark);
  const rawQuery = questionMark < 0 ? '' : url.slice(questionMark + 1);
  if (!rawPath.startsWith('/')) throw new S3Error('InvalidURI');
  const path = decode(rawPath);
  const slash = path.indexOf('/', 1);
  const queryPairs = rawQuery.split('&').filter(Boolean).map(decodePair);
  return {
    id: randomBytes(8).toString('hex').toUpperCase(),
    incoming,
    response,
    method: incoming.method ?? '',
    path,
    bucket: slash < 0 ? path.slice(1) : path.slice(1, slash),
    key: slash < 0 ? '' : path.slice(slash + 1),
    queryPairs,
    query: new Map(queryPairs),
    headers: Object.fromEntries(
      Object.entries(incoming.headersDistinct).map(([name, values]) => [name, values?.join(',')]),
    ),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error('InvalidURI');
  }
}

function decodePair(pair: string): [string, string] {
  const equals = pair.indexOf('=');
  return equals < 0 ? [decode(pair), ''] : [decode(pair.slice(0, equals)), decode(pair.slice(equals + 1))];
}

/** @throws {S3Error} for a key that S3 or a file system behind a client would stumble over */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) > 1024) throw new S3Error('KeyTooLongError');
  const segments = key.split('/');
  if (
    key === '' ||
    key.includes('\0') ||
    !key.isWellFormed() ||
    segments.includes('.') ||
    segments.includes('..')
  ) {
    throw new S3Error('InvalidObjectName');
  }
}

/** A whole number from the query, in bounds. @throws {S3Error} InvalidArgument */
export function queryInteger(request: S3Request, name: string, fallback: number, maximum: number): number {
  const text = request.query.get(name);
  if (text === undefined || text === '') return fallback;
  if (!/^\d{1,10}$/.test(text)) throw new S3Error('InvalidArgument', `${name} is not a whole number.`);
  return Math.min(Number(text), maximum);
}
