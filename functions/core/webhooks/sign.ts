/**
 * Signatures of the Standard Webhooks scheme, so that receivers can check them with a library of
 * their language: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
import { createHmac } from 'node:crypto';

/**
 * The three headers of a message.
 *
 * @param secret `whsec_` with base64 after it, as the libraries write it, or any other text, whose bytes are the key.
 * @param id the same at every try of one message: receivers know repetitions by it.
 */
export function signedHeaders(
  secret: string,
  id: string,
  sentAt: Date,
  body: Buffer,
): Record<string, string> {
  const timestamp = String(Math.floor(sentAt.getTime() / 1000));
  const signature = createHmac('sha256', keyOf(secret))
    .update(`${id}.${timestamp}.`)
    .update(body)
    .digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
}

function keyOf(secret: string): Buffer {
  const prefix = 'whsec_';
  return secret.startsWith(prefix) ? Buffer.from(secret.slice(prefix.length), 'base64') : Buffer.from(secret);
}
