import type { IncomingMessage } from 'node:http';
import { AimaError } from '../../../functions/core/errors.ts';

/** The caller hung up before its request was whole: there is nobody to answer. */
export class CallerGone extends Error {}

/**
 * The whole body of a request.
 *
 * @throws AimaError `payload_too_large`; what else comes in is then thrown away unread, so that
 *   the caller gets to see the answer instead of a broken connection.
 * @throws CallerGone
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const length = request.headers['content-length'];
  if (length === undefined && request.headers['transfer-encoding'] === undefined) return Buffer.alloc(0);
  if (Number(length) > maxBytes) throw tooLarge(request, maxBytes);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= maxBytes) chunks.push(chunk);
      else reject(tooLarge(request, maxBytes));
    });
    request.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.on('error', () => reject(new CallerGone()));
    request.on('close', () => reject(new CallerGone()));
  });
}

function tooLarge(request: IncomingMessage, maxBytes: number): AimaError {
  request.removeAllListeners('data').resume();
  return new AimaError('payload_too_large', `A request may have at most ${maxBytes} bytes.`);
}
