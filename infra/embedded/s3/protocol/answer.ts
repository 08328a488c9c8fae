import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { S3Error } from './errors.ts';
import { tag, xmlDocument } from './xml.ts';

/** Writing of answers, and what to do with a body that an early answer leaves unread. */

export function sendXml(response: ServerResponse, document: string, status = 200): void {
  const body = Buffer.from(document);
  response.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length });
  response.end(body);
}

export function sendEmpty(response: ServerResponse, status: number, headers: OutgoingHttpHeaders = {}): void {
  response.writeHead(
    status,
    status === 204 || status === 304 ? headers : { 'content-length': 0, ...headers },
  );
  response.end();
}

/** A client that gets a reset while it still sends may never see the answer, so this much is read first. */
const DRAIN_FIRST_BYTES = 1 << 20;
const DRAIN_FIRST_MS = 1000;
/** Read after the answer, for clients that look at it only when they have sent everything. */
const DRAIN_AFTER_BYTES = 64 << 20;
const DRAIN_AFTER_MS = 30_000;

/** Answers an error as S3 does. Unexpected errors say nothing about themselves to the client. */
export async function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  error: S3Error,
): Promise<void> {
  if (response.headersSent) {
    response.destroy(); // cutting the connection is the only way left to say that the body is not whole
    return;
  }
  const waitsForContinue =
    request.headers.expect !== undefined && !request.readableFlowing && !request.readableDidRead;
  if (!waitsForContinue) await drain(request);
  const body = xmlDocumentOf(error, request, requestId);
  response.writeHead(error.status, {
    ...error.headers,
    'content-type': 'application/xml',
    'content-length': Buffer.byteLength(body),
    // The client was never told to send its body, so the connection has to end here.
    ...(waitsForContinue && { connection: 'close' }),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

function xmlDocumentOf(error: S3Error, request: IncomingMessage, requestId: string): string {
  return xmlDocument(
    'Error',
    tag('Code', error.code),
    tag('Message', error.message),
    tag('Resource', request.url?.split('?')[0] ?? ''),
    tag('RequestId', requestId),
  );
}

/**
 * Discards the rest of a body. Settles when it has ended or the first limits are met; goes on in the background
 * and ends the connection at the second limits.
 */
async function drain(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  let received = 0;
  let enough = (): void => {};
  const reached = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const deadline = setTimeout(() => request.destroy(), DRAIN_AFTER_MS);
  request.on('data', (data: Buffer) => {
    received += data.length;
    if (received > DRAIN_FIRST_BYTES) enough();
    if (received > DRAIN_AFTER_BYTES) request.destroy();
  });
  request.once('close', () => clearTimeout(deadline));
  request.once('end', () => {
    clearTimeout(deadline);
    enough();
  });
  request.once('error', () => enough());
  request.resume();
  const timer = new AbortController();
  await Promise.race([reached, sleep(DRAIN_FIRST_MS, undefined, { signal: timer.signal }).catch(() => {})]);
  timer.abort();
}

/** Anything that is not an S3 error is a fault of ours: logged by the caller, answered as 500. */
export function toS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return new S3Error(code === 'ENOSPC' || code === 'EDQUOT' ? 'StorageFull' : 'InternalError');
}
