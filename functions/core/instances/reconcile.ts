/**
 * Compares one provider's list with the ledger, in both directions.
 *
 * - A live lease that the list shows: adopted where the answer to its create was lost.
 * - A live lease that the list lacks: the list is suspect until the machine was read by id. Read as
 *   gone twice: it vanished. Read as there: the list was not whole, which is an error like any other.
 * - A machine with our label and no live lease, or a second one of a lease: an orphan, and ended.
 * - Anybody else's machine: none of our business.
 */

import { raise, resolve } from '../alerts/alerts.ts';
import type { Core } from '../core.ts';
import { log } from '../log.ts';
import { type Machine, type Provider, ProviderError } from '../providers/provider.ts';
import { endIfDearer } from './dearer.ts';
import { startEnding } from './end.ts';
import { hintedId } from './hint.ts';
import { instanceOfLabel } from './label.ts';
import { recordMachine } from './launch.ts';

/** What the providers just said of the machines of live leases, by instance id. */
export type Shown = Map<string, Machine['status']>;

interface LiveLease {
  instanceId: string;
  label: string;
  providerInstanceId: string | null;
  /** What the worker found in its machine's environment: a hint, to be read at the provider. */
  hintedId: string | null;
  vanishedReads: number;
  /** It was shown before, or is older than any list's lag: its absence means something. */
  isDue: boolean;
  priceMicrodollarsPerHour: number;
}

type OurMachine = Machine & { instanceId: string };

/** @param shown is filled in. @throws what the provider's calls throw, and ProviderError where its list is not whole. */
export async function reconcile(core: Core, provider: Provider, shown: Shown): Promise<void> {
  const leases = await core.sql<LiveLease[]>`
    select instance_id, label, provider_instance_id, ${hintedId(core.sql)} as hinted_id, vanished_reads,
      price_microdollars_per_hour,
      seen_at is not null
        or requested_at < now() - make_interval(secs => ${(provider.createTimeoutMs + provider.listLagMs) / 1000}) as is_due
    from instances i where provider = ${provider.name} and state in ('requested', 'in_doubt', 'booting', 'ready')`;
  const machines = await provider.list();
  if (machines === null) return readEach(core, provider, leases, shown);

  const owner = core.config.secret('owner-id');
  const ours = machines.flatMap((machine): OurMachine[] => {
    const instanceId = instanceOfLabel(owner, machine.label);
    return instanceId ? [{ ...machine, instanceId }] : [];
  });
  let missing = 0;
  for (const lease of leases) {
    const machine = ours.find((one) =>
      lease.providerInstanceId
        ? one.providerInstanceId === lease.providerInstanceId
        : one.instanceId === lease.instanceId,
    );
    if (machine) await adopt(core, lease, machine, shown);
    else if (!lease.providerInstanceId) await adoptHinted(core, provider, lease, shown);
    else if (await isStillThere(core, provider, lease, shown)) missing++;
  }
  await endOrphans(core, provider, ours);
  await core.sql`
    update providers set machines = ${ours.length}, listed_at = case when ${missing} = 0 then now() else listed_at end
    where provider = ${provider.name}`;
  if (missing > 0)
    throw new ProviderError(
      'unreadable',
      `The list of ${provider.name} lacks ${missing} machines that it has.`,
    );
}

async function adopt(core: Core, lease: LiveLease, machine: Machine, shown: Shown): Promise<void> {
  const { instanceId } = lease;
  shown.set(instanceId, machine.status);
  if (!lease.providerInstanceId) await recordMachine(core, instanceId, machine.providerInstanceId);
  await core.sql`
    update instances set seen_at = coalesce(seen_at, now()), vanished_reads = 0,
      running_at = case when ${machine.status === 'running'} then coalesce(running_at, now()) else running_at end
    where instance_id = ${instanceId}
      and (seen_at is null or vanished_reads > 0 or ${machine.status === 'running'} and running_at is null)`;
  const billed = machine.priceMicrodollarsPerHour ?? 0;
  await endIfDearer(core, instanceId, lease.priceMicrodollarsPerHour, billed);
}

/** A machine that we did not delete is only gone when two reads by id say so, and only once it must be known. */
async function isStillThere(
  core: Core,
  provider: Provider,
  lease: LiveLease,
  shown: Shown,
): Promise<boolean> {
  for (let reads = lease.vanishedReads; ; ) {
    const machine = await provider.read(lease.providerInstanceId!);
    if (!machine && !lease.isDue) return false;
    reads = machine ? 0 : reads + 1;
    await core.sql`update instances set vanished_reads = ${reads} where instance_id = ${lease.instanceId}`;
    if (machine) {
      await adopt(core, lease, machine, shown);
      return true;
    }
    if (reads >= 2) break;
  }
  await startEnding(core, lease.instanceId, 'vanished', 'The instance is gone; it was not we who ended it.');
  return false;
}

/** Where there is no list: by id, or by the id that the worker found in its environment. */
async function readEach(core: Core, provider: Provider, leases: LiveLease[], shown: Shown): Promise<void> {
  for (const lease of leases) {
    if (lease.providerInstanceId) await isStillThere(core, provider, lease, shown);
    else await adoptHinted(core, provider, lease, shown);
  }
  await core.sql`
    update providers set machines = ${leases.length}, listed_at = now() where provider = ${provider.name}`;
}

/** The machine of a create that was never answered, where its worker has named it and nobody else has. */
async function adoptHinted(core: Core, provider: Provider, lease: LiveLease, shown: Shown): Promise<void> {
  const machine = lease.hintedId === null ? null : await provider.read(lease.hintedId);
  if (!machine) return;
  // The label is ours alone, and the word of a stranger's computer is not enough where there is one.
  if (machine.label === lease.label || !provider.isListed) await adopt(core, lease, machine, shown);
}

/** Ended at each look until the list does not show them any more. One that cannot be ended keeps no other. */
async function endOrphans(core: Core, provider: Provider, ours: OurMachine[]): Promise<void> {
  const orphans = await findOrphans(core, provider, ours);
  const failures: unknown[] = [];
  for (const { instanceId, label, providerInstanceId } of orphans) {
    log.warn('a machine of ours has no live lease; ending it', {
      instanceId,
      provider: provider.name,
      providerInstanceId,
      label,
    });
    // The intent, once for each machine; a crash after it leaves the machine in the next list.
    await core.sql`
      insert into events (type, instance_id, data)
      select ${orphanEnded}, ${instanceId}, ${core.sql.json({ provider: provider.name, providerInstanceId })}
      where not exists (select from events where type = ${orphanEnded} and instance_id = ${instanceId}
        and data ->> 'providerInstanceId' = ${providerInstanceId})`;
    await provider.terminate(providerInstanceId).catch((error: unknown) => failures.push(error));
  }
  await tellOrphans(core, provider, orphans);
  if (failures.length > 0) throw failures[0];
}

const orphanEnded = 'instance.orphan_ended';

/** Ours by their label, and no lease has them. */
async function findOrphans(core: Core, provider: Provider, ours: OurMachine[]): Promise<OurMachine[]> {
  if (ours.length === 0) return [];
  const known = await core.sql<{ instanceId: string; providerInstanceId: string | null }[]>`
    select instance_id, provider_instance_id from instances
    where state <> 'terminated' and provider = ${provider.name}
      and instance_id in ${core.sql(ours.map((machine) => machine.instanceId))}`;
  const idOf = new Map(known.map((row) => [row.instanceId, row.providerInstanceId]));
  return ours.filter(({ instanceId, providerInstanceId }) => {
    if (!idOf.has(instanceId)) return true;
    const expected = idOf.get(instanceId);
    return expected !== null && expected !== providerInstanceId;
  });
}

/** No lease counts what they cost and no ending watches them: a human is told of those that do not go. */
async function tellOrphans({ sql, config }: Core, provider: Provider, orphans: OurMachine[]): Promise<void> {
  const keyOf = (providerInstanceId: string) => `machine:${provider.name}/${providerInstanceId}:not_gone`;
  for (const { instanceId, label, providerInstanceId } of orphans) {
    const [asked] = await sql<{ minutes: number }[]>`
      select (extract(epoch from now() - min(at)) / 60)::integer as minutes from events
      where type = ${orphanEnded} and instance_id = ${instanceId} and data ->> 'providerInstanceId' = ${providerInstanceId}`;
    if (asked!.minutes < config.AIMA_ALERT_AFTER_MINUTES) continue;
    await raise(sql, {
      key: keyOf(providerInstanceId),
      severity: 'critical',
      text: `${provider.name} still shows ${label}, which no lease has and which it was asked to end ${asked!.minutes} min ago. It may be billed and is in no budget: end it on the provider's own page.`,
      data: { provider: provider.name, label, providerInstanceId },
    });
  }
  const shown = orphans.map(({ providerInstanceId }) => keyOf(providerInstanceId));
  const gone = await sql<{ key: string }[]>`
    select key from alerts where resolved_at is null and data ->> 'provider' = ${provider.name}
      and key like 'machine:%:not_gone' and key <> all (${shown})`;
  for (const { key } of gone) await resolve(sql, key);
}
