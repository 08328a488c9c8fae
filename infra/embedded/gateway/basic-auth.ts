import { createHash, timingSafeEqual } from 'node:crypto';

export interface Credentials {
  user: string;
  password: string;
}

/** Whether an Authorization header carries the credentials (RFC 7617), in a time that tells nothing. */
export function isAuthorized(header: string | undefined, { user, password }: Credentials): boolean {
  const encoded = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return false;
  const given = Buffer.from(encoded, 'base64');
  return timingSafeEqual(digest(given), digest(Buffer.from(`${user}:${password}`)));
}

/** Digests have one length, which timingSafeEqual needs, whatever was sent. */
function digest(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}
