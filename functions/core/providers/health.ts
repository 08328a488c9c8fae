/**
 * How a provider is doing, as one row that all functions share: the breaker. A pause stops launching
 * there and nothing else: machines that exist are listed, read and ended all the same.
 */
import type { Sql, Tx } from '../database.ts';
import { ProviderError } from './provider.ts';

/** So many calls in a row that failed, whatever they were, and nothing is rented there for a while. */
const failuresToPause = 3;
/** Doubled with each further failure. */
const firstPauseSeconds = 30;
const longestPauseSeconds = 15 * 60;
/** A key that is not taken needs a person; looking again costs nothing. */
const unauthorizedPauseSeconds = 10 * 60;
/** Vast says 429 without saying for how long (facts: its limits are intervals of seconds). */
const rateLimitPauseSeconds = 60;

/** A call was answered as it should be. A pause that was set for another reason stays. */
export async function noteSuccess(sql: Sql | Tx, provider: string): Promise<void> {
  await sql`update providers set failures = 0 where provider = ${provider} and failures > 0`;
}

/** A call failed. @returns what a person should be told, where only a person can mend it. */
export async function noteFailure(sql: Sql | Tx, provider: string, error: unknown): Promise<string | null> {
  const { reason = 'unavailable', retryAfterMs = null } = error instanceof ProviderError ? error : {};
  const [row] = await sql<{ failures: number }[]>`
    insert into providers (provider, failures) values (${provider}, 1)
    on conflict (provider) do update set failures = least(providers.failures + 1, 1000)
    returning failures`;
  const pause = pauseAfter(reason, row!.failures, retryAfterMs);
  if (pause > 0) await pauseProvider(sql, provider, pause, explain(reason));
  return reason === 'unauthorized' ? `${provider} does not take the key.` : null;
}

/** Pure: for how many seconds nothing is rented there after a failure. */
function pauseAfter(reason: ProviderError['reason'], failures: number, retryAfterMs: number | null): number {
  if (reason === 'unauthorized') return unauthorizedPauseSeconds;
  if (reason === 'rate_limited') return Math.ceil((retryAfterMs ?? rateLimitPauseSeconds * 1000) / 1000);
  if (failures < failuresToPause) return 0;
  return Math.min(longestPauseSeconds, firstPauseSeconds * 2 ** (failures - failuresToPause));
}

/** Nothing is rented there for so long from now; a longer pause that is set already stays. */
export async function pauseProvider(
  sql: Sql | Tx,
  provider: string,
  seconds: number,
  reason: string,
): Promise<void> {
  await sql`
    insert into providers (provider, paused_until_at, pause_reason)
    values (${provider}, now() + make_interval(secs => ${seconds}), ${reason})
    on conflict (provider) do update set
      pause_reason = case when coalesce(providers.paused_until_at, '-infinity') < excluded.paused_until_at
        then excluded.pause_reason else providers.pause_reason end,
      paused_until_at = greatest(providers.paused_until_at, excluded.paused_until_at)`;
}

function explain(reason: ProviderError['reason']): string {
  return {
    unauthorized: 'the key is not taken',
    rate_limited: 'asked too often',
    unavailable: 'does not answer',
    unreadable: 'answers in an unknown shape',
    refused: 'refuses what is asked',
  }[reason];
}
