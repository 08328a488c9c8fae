import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/**
 * The arithmetic of AWS Signature Version 4, as functions of their arguments alone.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */

export const EMPTY_SHA256 = createHash('sha256').digest('hex');

const sha256Hex = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** Percent-encodes everything but letters, digits, `-`, `.`, `_` and `~`. */
export function encodeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** `YYYYMMDD`, region and service that a signing key is good for. */
export interface CredentialScope {
  date: string;
  region: string;
}

const scopeText = ({ date, region }: CredentialScope): string => `${date}/${region}/s3/aws4_request`;

export function signingKey(secretKey: string, { date, region }: CredentialScope): Buffer {
  return hmac(hmac(hmac(hmac(`AWS4${secretKey}`, date), region), 's3'), 'aws4_request');
}

export interface CanonicalParts {
  method: string;
  /** Decoded path. */
  path: string;
  /** Decoded query parameters; `X-Amz-Signature` is left out of the canonical form. */
  query: ReadonlyArray<readonly [name: string, value: string]>;
  headers: Readonly<Record<string, string | undefined>>;
  /** Lower-case header names in the order the client signed them. */
  signedHeaders: readonly string[];
  payloadHash: string;
}

export function canonicalRequest(parts: CanonicalParts): string {
  const query = parts.query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]): [string, string] => [encodeUri(name), encodeUri(value)])
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map((pair) => pair.join('='))
    .join('&');
  const headers = parts.signedHeaders.map(
    (name) => `${name}:${(parts.headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`,
  );
  const path = parts.path.split('/').map(encodeUri).join('/');
  const names = parts.signedHeaders.join(';');
  return [parts.method, path, query, headers.join(''), names, parts.payloadHash].join('\n');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What the signature of a request, a chunk or a trailer hangs on. */
export interface SigningContext {
  key: Buffer;
  scope: CredentialScope;
  /** `YYYYMMDDTHHMMSSZ` */
  timestamp: string;
}

export function requestSignature({ key, scope, timestamp }: SigningContext, canonical: string): string {
  // Node reads header bytes as Latin-1; writing them back as Latin-1 hashes what the client signed.
  const digest = sha256Hex(Buffer.from(canonical, 'latin1'));
  return hmac(key, ['AWS4-HMAC-SHA256', timestamp, scopeText(scope), digest].join('\n')).toString('hex');
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html */
export function chunkSignature(
  { key, scope, timestamp }: SigningContext,
  previousSignature: string,
  chunkSha256: string,
): string {
  const lines = [
    'AWS4-HMAC-SHA256-PAYLOAD',
    timestamp,
    scopeText(scope),
    previousSignature,
    EMPTY_SHA256,
    chunkSha256,
  ];
  return hmac(key, lines.join('\n')).toString('hex');
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html */
export function trailerSignature(
  { key, scope, timestamp }: SigningContext,
  previousSignature: string,
  trailers: ReadonlyMap<string, string>,
): string {
  const text = [...trailers].map(([name, value]) => `${name}:${value}\n`).join('');
  const lines = ['AWS4-HMAC-SHA256-TRAILER', timestamp, scopeText(scope), previousSignature, sha256Hex(text)];
  return hmac(key, lines.join('\n')).toString('hex');
}

/** Signature of a POST policy: of its base64 text. */
export function policySignature(key: Buffer, policyBase64: string): string {
  return hmac(key, policyBase64).toString('hex');
}

/** Compares in a time that does not depend on where the texts differ. */
export function sameSignature(a: string, b: string): boolean {
  const x = Buffer.from(a);
  const y = Buffer.from(b);
  return x.length === y.length && timingSafeEqual(x, y);
}
