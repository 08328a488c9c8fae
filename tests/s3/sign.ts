import { createHash, createHmac } from 'node:crypto';

/**
 * A second implementation of Signature Version 4, written for the tests from the specification: it can also sign
 * what no client would (other dates, unknown keys, headers left out) and chunked bodies.
 */

export interface Signer {
  accessKey: string;
  secretKey: string;
  region: string;
}

export const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
const hmac = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();
const encode = (text: string): string =>
  [...Buffer.from(text)]
    .map((byte) =>
      /[A-Za-z0-9\-._~]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');

/** `YYYYMMDDTHHMMSSZ` */
export const stamp = (at: number): string => new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '');

const scopeOf = ({ region }: Signer, at: number): string =>
  `${stamp(at).slice(0, 8)}/${region}/s3/aws4_request`;

function keyOf({ secretKey, region }: Signer, at: number): Buffer {
  return [stamp(at).slice(0, 8), region, 's3', 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${secretKey}`,
  ) as Buffer;
}

function signatureOf(signer: Signer, at: number, kind: string, ...lines: string[]): string {
  return hmac(keyOf(signer, at), [kind, stamp(at), scopeOf(signer, at), ...lines].join('\n')).toString('hex');
}

export interface Unsigned {
  method: string;
  /** Decoded path. */
  path: string;
  query?: Record<string, string>;
  host: string;
  headers?: Record<string, string>;
  at?: number;
}

export const encodePath = (path: string): string => path.split('/').map(encode).join('/');

const queryText = (query: Record<string, string>): string =>
  Object.entries(query)
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');

function canonical(
  request: Unsigned,
  headers: Record<string, string>,
  payloadHash: string,
): [string, string] {
  const names = Object.keys(headers).sort();
  const lines = names.map((name) => `${name}:${headers[name]!.trim()}\n`).join('');
  const signed = names.join(';');
  const text = [
    request.method,
    encodePath(request.path),
    queryText(request.query ?? {}),
    lines,
    signed,
    payloadHash,
  ];
  return [text.join('\n'), signed];
}

/** Headers that sign a request. `payloadHash` defaults to that of an empty body. */
export function signedHeaders(
  signer: Signer,
  request: Unsigned,
  payloadHash: string = sha256(''),
): { headers: Record<string, string>; target: string; signature: string } {
  const at = request.at ?? Date.now();
  const headers: Record<string, string> = {
    ...request.headers,
    host: request.host,
    'x-amz-date': stamp(at),
    'x-amz-content-sha256': payloadHash,
  };
  const [text, signed] = canonical(request, headers, payloadHash);
  const signature = signatureOf(signer, at, 'AWS4-HMAC-SHA256', sha256(text));
  const credential = `${signer.accessKey}/${scopeOf(signer, at)}`;
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signed}, Signature=${signature}`;
  const query = queryText(request.query ?? {});
  return { headers, target: encodePath(request.path) + (query && `?${query}`), signature };
}

/** Path and query of a presigned request. */
export function presigned(signer: Signer, request: Unsigned, expiresSeconds: number): string {
  const at = request.at ?? Date.now();
  const headers: Record<string, string> = { ...request.headers, host: request.host };
  const query: Record<string, string> = {
    ...request.query,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${signer.accessKey}/${scopeOf(signer, at)}`,
    'X-Amz-Date': stamp(at),
    'X-Amz-Expires': String(expiresSeconds),
    'X-Amz-SignedHeaders': Object.keys(headers).sort().join(';'),
  };
  const [text] = canonical({ ...request, query }, headers, 'UNSIGNED-PAYLOAD');
  const signature = signatureOf(signer, at, 'AWS4-HMAC-SHA256', sha256(text));
  return `${encodePath(request.path)}?${queryText(query)}&X-Amz-Signature=${signature}`;
}

/** An aws-chunked body; chunks and trailer are signed when a seed signature is given. */
export function chunkedBody(
  chunks: readonly Buffer[],
  options: { signer?: Signer; at?: number; seed?: string; trailer?: readonly [name: string, value: string] },
): Buffer {
  const { signer, at = 0, seed = '', trailer } = options;
  let previous = seed;
  const pieces: Buffer[] = [];
  for (const chunk of [...chunks, Buffer.alloc(0)]) {
    let extension = '';
    if (signer) {
      previous = signatureOf(signer, at, 'AWS4-HMAC-SHA256-PAYLOAD', previous, sha256(''), sha256(chunk));
      extension = `;chunk-signature=${previous}`;
    }
    pieces.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk);
    if (chunk.length > 0) pieces.push(Buffer.from('\r\n'));
  }
  if (trailer) {
    const [name, value] = trailer;
    pieces.push(Buffer.from(`${name}:${value}\r\n`));
    if (signer) {
      const text = sha256(`${name}:${value}\n`);
      const signature = signatureOf(signer, at, 'AWS4-HMAC-SHA256-TRAILER', previous, text);
      pieces.push(Buffer.from(`x-amz-trailer-signature:${signature}\r\n`));
    }
  }
  pieces.push(Buffer.from('\r\n'));
  return Buffer.concat(pieces);
}

/** The fields of a form for a POST policy. */
export function postFields(
  signer: Signer,
  conditions: unknown[],
  options: { expiresAt?: number; at?: number } = {},
): Record<string, string> {
  const at = options.at ?? Date.now();
  const own: Record<string, string> = {
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${signer.accessKey}/${scopeOf(signer, at)}`,
    'x-amz-date': stamp(at),
  };
  const expiration = new Date(options.expiresAt ?? at + 60_000).toISOString();
  const all = [...conditions, ...Object.entries(own).map(([name, value]) => ({ [name]: value }))];
  const policy = Buffer.from(JSON.stringify({ expiration, conditions: all })).toString('base64');
  return { ...own, policy, 'x-amz-signature': hmac(keyOf(signer, at), policy).toString('hex') };
}
