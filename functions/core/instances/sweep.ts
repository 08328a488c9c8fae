/**
 * The sweep over all leases: finds what no event told of. Each provider is listed by one of us at a
 * time (whoever moves its next look on) and an error there means "unknown": nothing is concluded from
 * it, and nothing is rented there while it lasts (providers/health.ts).
 *
 * What a crash leaves: every step reads what is and writes one decision; the next look does the rest.
 */

import { raise, resolve } from '../alerts/alerts.ts';
import type { Core } from '../core.ts';
import { log } from '../log.ts';
import { noteFailure, noteSuccess } from '../providers/health.ts';
import type { Provider } from '../providers/provider.ts';
import { startEnding } from './end.ts';
import { takeLook } from './looks.ts';
import { reconcile, type Shown } from './reconcile.ts';
import { judge, type LeaseFacts, type Patience } from './verdict.ts';

/** Goes once over providers and leases. */
export async function sweepInstances(core: Core): Promise<void> {
  const shown: Shown = new Map();
  const listed = new Set<string>();
  await Promise.all(
    [...core.providers.values()].map(async (provider) => {
      if (!(await takeLook(core, provider.name))) return;
      try {
        await reconcile(core, provider, shown);
        listed.add(provider.name);
        await noteSuccess(core.sql, provider.name);
        await resolve(core.sql, `provider:${provider.name}:unauthorized`);
      } catch (error) {
        await noteBlind(core, provider, error);
      }
    }),
  );
  // Read anew: what the lists have just shown is not in doubt any more.
  for (const lease of await liveLeases(core)) {
    try {
      await judgeLease(core, lease, {
        status: shown.get(lease.instanceId) ?? null,
        isListed: listed.has(lease.provider),
      });
    } catch (error) {
      // One that is locked, by its own worker perhaps, keeps no other alive.
      log.error('a lease is looked at again', { instanceId: lease.instanceId, error });
    }
  }
}

async function judgeLease(
  core: Core,
  { instanceId, provider, bootMs, ...facts }: Live,
  seen: Pick<LeaseFacts, 'status' | 'isListed'>,
): Promise<void> {
  const known = core.providers.get(provider);
  const verdict = judge({ ...facts, ...seen }, patience(core, known, bootMs));
  if (verdict?.act === 'end') await startEnding(core, instanceId, verdict.reason, verdict.detail);
  else if (verdict?.act === 'doubt')
    await core.sql`
      update instances set state = 'in_doubt', next_look_at = now() where instance_id = ${instanceId} and state = 'requested'`;
}

async function noteBlind(core: Core, provider: Provider, error: unknown): Promise<void> {
  log.error('a provider cannot be listed; nothing is concluded', { provider: provider.name, error });
  const tell = await noteFailure(core.sql, provider.name, error);
  if (tell)
    await raise(core.sql, {
      key: `provider:${provider.name}:unauthorized`,
      severity: 'critical',
      text: `${tell} Machines there may run on unseen: put a working key in place.`,
      data: { provider: provider.name },
    });
}

interface Live extends Omit<LeaseFacts, 'status' | 'isListed'> {
  instanceId: string;
  provider: string;
  /** What its offer said of the time until hello. */
  bootMs: number;
}

function liveLeases(core: Core): Promise<Live[]> {
  return core.sql<Live[]>`
    select instance_id, provider, state, starts, coalesce((offer ->> 'bootMs')::float8, 0) as boot_ms,
      extract(epoch from now() - requested_at)::float8 * 1000 as age_ms,
      extract(epoch from now() - started_at)::float8 * 1000 as since_started_ms,
      extract(epoch from now() - heartbeat_at)::float8 * 1000 as silent_ms,
      deadline_at < now() as is_overdue,
      (select extract(epoch from now() - j.started_at)::float8 * 1000 from jobs j
       where j.instance_id = i.instance_id and j.state = 'running'
         and coalesce(i.progress_at, '-infinity') < j.started_at limit 1) as without_progress_ms
    from instances i where state in ('requested', 'in_doubt', 'booting', 'ready')`;
}

/** Some offers take their time, unbilled (Salad: 20 minutes and more): three times what they say is waited for. */
const bootTimesWaited = 3;

function patience({ config }: Core, provider: Provider | undefined, bootMs: number): Patience {
  return {
    createTimeoutMs: provider?.createTimeoutMs ?? 0,
    listLagMs: provider?.listLagMs ?? 0,
    pullTimeoutMs: Math.max(config.AIMA_PULL_TIMEOUT_SECONDS * 1000, bootTimesWaited * bootMs),
    loadTimeoutMs: config.AIMA_LOAD_TIMEOUT_SECONDS * 1000,
    lostContactMs: config.AIMA_LOST_CONTACT_SECONDS * 1000,
    firstProgressMs: config.AIMA_FIRST_PROGRESS_TIMEOUT_SECONDS * 1000,
  };
}
