/**
 * The webhook that an object store calls: `POST /` with an event as JSON, answered with 204 when the
 * broker has acknowledged it and with 503 while it does not, so that a store that keeps its events
 * (MinIO's and RustFS's queue_dir) sends them again.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { messageOf } from './event.ts';
import type { EventPublisher } from './publisher.ts';

interface WebhookOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  /** What callers must show. */
  token: string;
  bucket: string;
  publisher: EventPublisher;
  log: (line: string) => void;
}

interface Webhook {
  port: number;
  close(): Promise<void>;
}

/** A MinIO event has 1 to 2 KiB, with metadata some more; brokers take 256 KiB. */
const MOST_BODY_BYTES = 200 * 1024;

export async function startWebhook(options: WebhookOptions): Promise<Webhook> {
  const server = createServer((request, response) => {
    answer(options, request).then(
      (status) => response.writeHead(status, status === 503 ? { 'retry-after': '1' } : {}).end(),
      // The caller went away in the middle of its request.
      () => response.destroy(),
    );
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      await closed;
    },
  };
}

async function answer(
  { token, bucket, publisher, log }: WebhookOptions,
  request: IncomingMessage,
): Promise<number> {
  if (!showsToken(request.headers.authorization ?? '', token)) return 401;
  if (request.method !== 'POST') return 405;
  const body = await readBody(request);
  if (body === null) return 413;
  let message: string | null;
  try {
    message = messageOf(JSON.parse(body), bucket);
  } catch (error) {
    // Said again it would be no better, and a store that repeats it would send nothing behind it. The sweep finds the object.
    log(`what the object store said is no event, and is dropped: ${(error as Error).message.split('\n')[0]}`);
    return 204;
  }
  if (message === null) return 204;
  try {
    await publisher.publish(message);
    return 204;
  } catch {
    return 503;
  }
}

/** `Bearer TOKEN`, or TOKEN as the password in the webhook's address for stores that know no other way. */
function showsToken(authorization: string, token: string): boolean {
  const [scheme = '', value = ''] = authorization.split(' ');
  const shown =
    scheme.toLowerCase() === 'basic'
      ? Buffer.from(value, 'base64')
          .toString()
          .replace(/^[^:]*:/, '')
      : scheme.toLowerCase() === 'bearer'
        ? value
        : '';
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(shown), digest(token));
}

async function readBody(request: IncomingMessage): Promise<string | null> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > MOST_BODY_BYTES) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}
