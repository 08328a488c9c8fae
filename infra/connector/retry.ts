/** What became of one invocation. */
export type Outcome =
  | { kind: 'answered'; status: number; retryAfterMs?: number }
  /** it broke off or timed out after it had begun: it may have been carried out */
  | { kind: 'failed'; reason: string }
  /** no connection to the gateway came about */
  | { kind: 'unreachable'; reason: string };

export type Decision =
  | { kind: 'acknowledge' }
  | { kind: 'retry'; delayMs: number; reason: string }
  | { kind: 'park'; reason: string };

export interface RetryPolicy {
  /** delay before the first retry, doubled with each further one */
  firstDelayMs: number;
  maxDelayMs: number;
  /** cap while the gateway is away: it should be noticed soon when it is back */
  maxUnreachableDelayMs: number;
  /** an event whose function keeps failing is parked after so long */
  giveUpAfterMs: number;
}

export const defaultRetryPolicy: RetryPolicy = {
  firstDelayMs: 200,
  maxDelayMs: 30_000,
  maxUnreachableDelayMs: 5_000,
  giveUpAfterMs: 10 * 60_000,
};

/** A `Retry-After` beyond this is cut: the bell should ring the same day. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;

/**
 * Answers that say "not now" rather than "not this event", although they are 4xx: 401 and 403 mean that a
 * secret changed on one side only, 404 that faasd is just replacing the function (an update there is a delete
 * and a create), 408, 409, 423, 425 and 429 are temporary by definition.
 */
const TEMPORARY_CLIENT_ERRORS = new Set([401, 403, 404, 408, 409, 423, 425, 429]);

/**
 * What to do after an invocation. A 2xx acknowledges; any other 4xx parks at once, because the same body will
 * be refused again; all else is retried with exponential backoff and jitter until it has failed for
 * `giveUpAfterMs`. A gateway that is away says nothing about the event, which then waits for as long as it
 * takes.
 *
 * @param history tries so far, this one included, and the time since the first one that was answered or broke
 * @param random in [0, 1)
 */
export function decide(
  outcome: Outcome,
  history: { tries: number; failingForMs: number },
  policy: RetryPolicy,
  random: number,
): Decision {
  if (outcome.kind === 'unreachable') {
    const delayMs = backoffMs(history.tries, policy.firstDelayMs, policy.maxUnreachableDelayMs, random);
    return { kind: 'retry', delayMs, reason: outcome.reason };
  }
  const reason = outcome.kind === 'answered' ? `status ${outcome.status}` : outcome.reason;
  if (outcome.kind === 'answered') {
    const { status } = outcome;
    if (status >= 200 && status < 300) return { kind: 'acknowledge' };
    if (status >= 400 && status < 500 && !TEMPORARY_CLIENT_ERRORS.has(status))
      return { kind: 'park', reason };
  }
  if (history.failingForMs >= policy.giveUpAfterMs) return { kind: 'park', reason };
  const retryAfterMs = outcome.kind === 'answered' ? (outcome.retryAfterMs ?? 0) : 0;
  const delayMs = Math.max(
    backoffMs(history.tries, policy.firstDelayMs, policy.maxDelayMs, random),
    Math.min(retryAfterMs, MAX_RETRY_AFTER_MS),
  );
  return { kind: 'retry', delayMs, reason };
}

/** Half fixed, half random ("equal jitter"), so that many waiting events do not come back as one. */
export function backoffMs(tries: number, firstDelayMs: number, maxDelayMs: number, random: number): number {
  const ceilingMs = Math.min(maxDelayMs, firstDelayMs * 2 ** Math.min(tries - 1, 30));
  return Math.round(ceilingMs * (0.5 + random / 2));
}

/** `Retry-After` in seconds or as an HTTP date (RFC 9110 section 10.2.3); undefined when it is neither. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}
