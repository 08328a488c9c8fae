/** Who calls: proved by the bearer token, never by anything else that a request says. */
import { AimaError } from '../errors.ts';
import type { RequestHeaders } from './request.ts';

/** A user of this installation, our connector (events and schedules), or who only reads figures. */
export type Caller = { kind: 'user'; userId: string } | { kind: 'connector' } | { kind: 'scraper' };

/** Who may use a route. `anyone` needs no token; its handler gets `null` as the caller. */
export type Audience = Caller['kind'] | 'anyone';

export type CallerOf<A extends Audience> = A extends 'anyone' ? null : Extract<Caller, { kind: A }>;

/**
 * Tells who sent a request.
 *
 * @throws AimaError `unauthorized` where the token is missing or unknown.
 */
export type Authenticate = (headers: RequestHeaders) => Caller | Promise<Caller>;

/**
 * The token of `Authorization: Bearer <token>` (RFC 6750, section 2.1).
 *
 * @throws AimaError `unauthorized` where there is none.
 */
export function bearerToken(headers: RequestHeaders): string {
  const match = /^Bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(headers.authorization ?? '');
  if (match === null) throw new AimaError('unauthorized', 'The request carries no bearer token.');
  return match[1]!;
}
