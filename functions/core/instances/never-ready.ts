/**
 * Tells our own fault from a bad host. One machine whose worker is never ready is the host's; several in
 * a row, on whatever hosts, are our image's, its models' or our address's, and every further one would be
 * money for nothing. Such a provider is paused and a human is told, until a worker there is ready again.
 */
import { raise, resolve } from '../alerts/alerts.ts';
import type { Core } from '../core.ts';
import { pauseProvider } from '../providers/health.ts';

/** Each of them has cost some minutes by then. */
const inARow = 3;
const pauseSeconds = 15 * 60;

const notReady = ['crash_loop', 'unfit', 'load_timeout', 'pull_timeout'];

function keyOf(provider: string): string {
  return `provider:${provider}:never_ready`;
}

/** After the end of a machine for one of these reasons. */
export async function noteNeverReady({ sql }: Core, provider: string, reason: string | null): Promise<void> {
  if (!notReady.includes(reason ?? '')) return;
  const last = await sql<{ reason: string | null; isOurs: boolean }[]>`
    select reason, ready_at is null as is_ours from instances
    where provider = ${provider} and terminating_at > now() - interval '2 hours'
    order by terminating_at desc limit ${inARow}`;
  if (last.length < inARow || !last.every((one) => one.isOurs && notReady.includes(one.reason ?? ''))) return;
  await pauseProvider(sql, provider, pauseSeconds, `${inARow} machines in a row were never ready`);
  await raise(sql, {
    key: keyOf(provider),
    severity: 'critical',
    text: `${provider}: the workers of ${inARow} machines in a row were never ready (${last.map((one) => one.reason).join(', ')}). Look at the container image, its models and the public address of this server.`,
    data: { provider },
  });
}

/** Over as soon as a worker there was ready. */
export async function forgetNeverReady({ sql }: Core): Promise<void> {
  const over = await sql<{ key: string }[]>`
    select key from alerts a where resolved_at is null and key like 'provider:%:never_ready' and exists (
      select from instances i where i.provider = a.data ->> 'provider' and i.ready_at > a.raised_at)`;
  for (const { key } of over) await resolve(sql, key);
}
