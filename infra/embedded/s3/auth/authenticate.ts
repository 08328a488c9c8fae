import { S3Error } from '../protocol/errors.ts';
import type { S3Request } from '../protocol/request.ts';
import type { Credential } from './access.ts';
import {
  type CredentialScope,
  canonicalRequest,
  EMPTY_SHA256,
  requestSignature,
  type SigningContext,
  sameSignature,
  signingKey,
} from './signature.ts';

/**
 * Finds out who sent a request: by its `Authorization` header or by a presigned query. There is no other way in;
 * in particular an access key without a valid signature is worth nothing, whatever the payload is said to be
 * (CVE-2026-40344 and CVE-2026-41145 of MinIO let `STREAMING-UNSIGNED-PAYLOAD-TRAILER` pass).
 */

/** How the body is to be read and checked. */
export type Payload =
  | { type: 'unsigned' }
  | { type: 'sha256'; sha256: string }
  /** aws-chunked; `signing` where each chunk carries a signature that continues the request's. */
  | { type: 'chunked'; trailer: boolean; signing?: SigningContext & { seed: string } };

export interface Authenticator {
  credentials: ReadonlyMap<string, Credential>;
  region: string;
  now: () => number;
}

const MAXIMUM_SKEW_MS = 15 * 60_000;
const MAXIMUM_EXPIRY_SECONDS = 7 * 24 * 3600;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * @param text `<access key>/<date>/<region>/s3/aws4_request`; an access key may contain slashes
 * @throws {S3Error} InvalidAccessKeyId, AuthorizationHeaderMalformed
 */
export function readCredential(
  { credentials, region }: Authenticator,
  text: string,
): { credential: Credential; scope: CredentialScope } {
  const match = /^(.+)\/(\d{8})\/([^/]+)\/s3\/aws4_request$/.exec(text);
  if (!match) throw new S3Error('AuthorizationHeaderMalformed');
  const [, accessKey = '', date = '', signedRegion = ''] = match;
  const credential = credentials.get(accessKey);
  if (!credential) throw new S3Error('InvalidAccessKeyId');
  if (signedRegion !== region) {
    throw new S3Error(
      'AuthorizationHeaderMalformed',
      `The region '${signedRegion}' is wrong; expecting '${region}'.`,
    );
  }
  return { credential, scope: { date, region } };
}

/** @throws {S3Error} AccessDenied and the other codes of a failed authentication, all 400 or 403 */
export function authenticate(
  authenticator: Authenticator,
  request: S3Request,
): { credential: Credential; payload: Payload } {
  const presigned = request.query.has('X-Amz-Algorithm');
  const header = request.headers.authorization;
  if (presigned && header !== undefined)
    throw new S3Error('InvalidRequest', 'Only one way of signing is allowed.');
  if (presigned) return authenticateQuery(authenticator, request);
  if (header === undefined) throw new S3Error('AccessDenied');
  return authenticateHeader(authenticator, request, header);
}

function authenticateHeader(authenticator: Authenticator, request: S3Request, header: string) {
  const match =
    /^AWS4-HMAC-SHA256\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(
      header,
    );
  if (!match) throw new S3Error('AuthorizationHeaderMalformed', 'Please sign with AWS4-HMAC-SHA256.');
  const [, credentialText = '', signedHeaders = '', signature = ''] = match;
  const { credential, scope } = readCredential(authenticator, credentialText);
  const timestamp = request.headers['x-amz-date'] ?? '';
  const signedAt = readTimestamp(timestamp, scope);
  if (Math.abs(authenticator.now() - signedAt) > MAXIMUM_SKEW_MS) throw new S3Error('RequestTimeTooSkewed');
  const payloadHash = request.headers['x-amz-content-sha256'] ?? EMPTY_SHA256;
  const context = { key: signingKey(credential.secretKey, scope), scope, timestamp };
  verify(request, context, signedHeaders.split(';'), payloadHash, signature);
  return { credential, payload: readPayload(payloadHash, context, signature) };
}

function authenticateQuery(authenticator: Authenticator, request: S3Request) {
  const parameter = (name: string): string => request.query.get(name) ?? '';
  if (parameter('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256')
    throw new S3Error('AuthorizationQueryParametersError');
  const { credential, scope } = readCredential(authenticator, parameter('X-Amz-Credential'));
  const timestamp = parameter('X-Amz-Date');
  const signedAt = readTimestamp(timestamp, scope);
  const expiresText = parameter('X-Amz-Expires');
  const expiresSeconds = Number(expiresText);
  if (!/^\d{1,6}$/.test(expiresText) || expiresSeconds < 1 || expiresSeconds > MAXIMUM_EXPIRY_SECONDS) {
    throw new S3Error('AuthorizationQueryParametersError', 'X-Amz-Expires must be 1 to 604800 seconds.');
  }
  const now = authenticator.now();
  if (signedAt > now + MAXIMUM_SKEW_MS) throw new S3Error('AccessDenied', 'The address is not valid yet.');
  if (now > signedAt + expiresSeconds * 1000) throw new S3Error('AccessDenied', 'Request has expired.');
  const payloadHash =
    request.headers['x-amz-content-sha256'] ?? (parameter('X-Amz-Content-Sha256') || 'UNSIGNED-PAYLOAD');
  if (payloadHash !== 'UNSIGNED-PAYLOAD' && !SHA256.test(payloadHash)) throw new S3Error('InvalidRequest');
  const context = { key: signingKey(credential.secretKey, scope), scope, timestamp };
  const signedHeaders = parameter('X-Amz-SignedHeaders').split(';');
  verify(request, context, signedHeaders, payloadHash, parameter('X-Amz-Signature'));
  return { credential, payload: readPayload(payloadHash, context, parameter('X-Amz-Signature')) };
}

function readTimestamp(timestamp: string, scope: CredentialScope): number {
  const iso = timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
  const signedAt = iso === timestamp ? Number.NaN : Date.parse(iso);
  if (Number.isNaN(signedAt) || !timestamp.startsWith(scope.date)) {
    throw new S3Error('AccessDenied', 'The request needs a valid X-Amz-Date.');
  }
  return signedAt;
}

function verify(
  request: S3Request,
  context: SigningContext,
  signedHeaders: string[],
  payloadHash: string,
  signature: string,
): void {
  if (!signedHeaders.includes('host')) throw new S3Error('AccessDenied', 'The Host header must be signed.');
  // An unsigned x-amz header would let the holder of a presigned PUT add x-amz-copy-source and read what the signer
  // may read.
  const unsigned = Object.keys(request.headers).find(
    (name) => name.startsWith('x-amz-') && !signedHeaders.includes(name),
  );
  if (unsigned !== undefined) throw new S3Error('AccessDenied', `The header ${unsigned} is not signed.`);
  const canonical = canonicalRequest({
    method: request.method,
    path: request.path,
    query: request.queryPairs,
    headers: request.headers,
    signedHeaders,
    payloadHash,
  });
  if (!sameSignature(requestSignature(context, canonical), signature))
    throw new S3Error('SignatureDoesNotMatch');
}

function readPayload(payloadHash: string, context: SigningContext, signature: string): Payload {
  switch (payloadHash) {
    case 'UNSIGNED-PAYLOAD':
      return { type: 'unsigned' };
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return { type: 'chunked', trailer: true };
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
      return { type: 'chunked', trailer: false, signing: { ...context, seed: signature } };
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return { type: 'chunked', trailer: true, signing: { ...context, seed: signature } };
  }
  if (SHA256.test(payloadHash)) return { type: 'sha256', sha256: payloadHash };
  throw new S3Error('NotImplemented', `The payload hash ${payloadHash} is not implemented.`);
}
