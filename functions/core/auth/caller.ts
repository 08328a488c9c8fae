/**
 * Who calls. For now three bearer tokens exist: the first user's (`api-token`), who may do
 * everything a user can, the connector's (`connector-token`), which may only deliver events, and that
 * of Prometheus (`metrics-token`, may be left out), which may only read figures and health.
 * Accounts and roles take this file's place.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { core } from '../core.ts';
import { AimaError } from '../errors.ts';
import { bearerToken, type Caller } from '../http/caller.ts';
import type { RequestHeaders } from '../http/request.ts';

/** The user that the migrations make. */
export const ownerId = '0'.repeat(26);

/** @throws AimaError `unauthorized` where the request carries no token or an unknown one. */
export function authenticate(headers: RequestHeaders): Caller {
  const token = bearerToken(headers);
  const { config } = core();
  if (same(token, config.secret('api-token'))) return { kind: 'user', userId: ownerId };
  if (same(token, config.secret('connector-token'))) return { kind: 'connector' };
  if (config.hasSecret('metrics-token') && same(token, config.secret('metrics-token')))
    return { kind: 'scraper' };
  throw new AimaError('unauthorized', 'The bearer token is not known.');
}

/** Digests first: equal lengths, and nothing to learn from the time it takes. */
function same(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
