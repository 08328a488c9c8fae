/**
 * The sweep over all leases: finds what no event told of. Every provider is listed once; an error
 * there means "unknown" and nothing is concluded from it.
 */
import type { Core } from '../core.ts';
import type { Machine, Provider } from '../providers/provider.ts';
import { closeLogins } from './credentials.ts';
import { startEnding } from './end.ts';
import { instanceOfLabel } from './label.ts';
import { recordMachine } from './launch.ts';

/** A create call may take this long before its answer counts as lost. */
const createSeconds = 60;
/** How long the label of a lost create is looked up. Lists lag behind by minutes at the worst. */
const doubtSeconds = 180;

interface Live {
  instanceId: string;
  provider: string;
  label: string;
  state: 'requested' | 'in_doubt' | 'booting' | 'ready';
  providerInstanceId: string | null;
  ageSeconds: number;
  silentSeconds: number | null;
  overdue: boolean;
  vanishedReads: number;
}

/** @returns how many leases are alive or in doubt: while there are any, sweeps come often. */
export async function sweepInstances(core: Core): Promise<number> {
  const live = await core.sql<Live[]>`
    select instance_id, provider, label, state, provider_instance_id, vanished_reads,
      extract(epoch from now() - requested_at)::float8 as age_seconds,
      extract(epoch from now() - heartbeat_at)::float8 as silent_seconds,
      deadline_at < now() as overdue
    from instances where state in ('requested', 'in_doubt', 'booting', 'ready')`;
  for (const instance of live) await checkClock(core, instance);
  for (const provider of core.providers.values()) {
    try {
      await reconcile(
        core,
        provider,
        live.filter((instance) => instance.provider === provider.name),
      );
    } catch (error) {
      console.error(`${provider.name} cannot be listed; nothing is concluded:`, error);
    }
  }
  return live.length;
}

/** What the row alone tells: deadlines, silence, a boot that takes too long, an answer that never came. */
async function checkClock(core: Core, instance: Live): Promise<void> {
  const { config } = core;
  const { instanceId, state, ageSeconds, silentSeconds } = instance;
  if (instance.overdue) {
    await startEnding(core, instanceId, 'deadline', 'The instance reached the end of its lease.');
  } else if (state === 'requested' && ageSeconds > createSeconds) {
    await core.sql`
      update instances set state = 'in_doubt', next_look_at = now() where instance_id = ${instanceId} and state = 'requested'`;
  } else if (state === 'in_doubt' && ageSeconds > createSeconds + doubtSeconds) {
    await startEnding(core, instanceId, 'never_appeared', 'The provider never showed the instance.');
  } else if (state === 'booting' && ageSeconds > config.AIMA_BOOT_TIMEOUT_SECONDS) {
    await startEnding(core, instanceId, 'boot_timeout', 'The instance did not boot in time.');
  } else if (
    state === 'ready' &&
    silentSeconds !== null &&
    silentSeconds > config.AIMA_LOST_CONTACT_SECONDS
  ) {
    await startEnding(
      core,
      instanceId,
      'lost_contact',
      `The worker has been silent for ${Math.round(silentSeconds)} s.`,
    );
  }
}

/** Compares the provider's list with the ledger, in both directions. */
async function reconcile(core: Core, provider: Provider, live: Live[]): Promise<void> {
  const machines = await provider.list();
  const byLabel = new Map(machines.map((machine) => [machine.label, machine]));

  for (const instance of live) {
    const machine = byLabel.get(instance.label);
    if (machine) {
      if (!instance.providerInstanceId)
        await recordMachine(core, instance.instanceId, machine.providerInstanceId);
    } else if (instance.providerInstanceId) {
      await checkVanished(core, provider, instance, instance.providerInstanceId);
    }
  }
  await endUnknown(core, provider, machines);
}

/** A list that lacks a machine which we did not delete is suspect: only reads by id count, and two of them. */
async function checkVanished(core: Core, provider: Provider, instance: Live, id: string): Promise<void> {
  for (let reads = instance.vanishedReads; ; ) {
    reads = (await provider.read(id)) ? 0 : reads + 1;
    await core.sql`update instances set vanished_reads = ${reads} where instance_id = ${instance.instanceId}`;
    if (reads === 0) return;
    if (reads >= 2) break;
  }
  await startEnding(
    core,
    instance.instanceId,
    'vanished',
    'The instance is gone; it was not we who ended it.',
  );
}

/** Machines with our label and no live row are ended. Other people's machines are none of our business. */
async function endUnknown(core: Core, provider: Provider, machines: Machine[]): Promise<void> {
  const owner = core.config.secret('owner-id');
  const ours = machines.flatMap((machine) => {
    const instanceId = instanceOfLabel(owner, machine.label);
    return instanceId ? [{ ...machine, instanceId }] : [];
  });
  if (ours.length === 0) return;
  const known = await core.sql<{ instanceId: string }[]>`
    select instance_id from instances where state <> 'terminated' and instance_id in ${core.sql(ours.map((machine) => machine.instanceId))}`;
  const alive = new Set(known.map((row) => row.instanceId));
  for (const machine of ours.filter((one) => !alive.has(one.instanceId))) {
    console.warn(`${provider.name}: ${machine.label} has no live lease; ending it`);
    await core.sql`insert into events (type, instance_id, data)
      values ('instance.orphan_ended', ${machine.instanceId}, ${core.sql.json({ provider: provider.name })})`;
    await provider.terminate(machine.providerInstanceId);
  }
}

/** Logins of leases that are over, where closing them failed then. */
export async function closeStaleLogins(core: Core): Promise<void> {
  const rows = await core.sql<{ instanceId: string }[]>`
    select substr(rolname, length('aima_worker_') + 1) as instance_id from pg_roles
    where rolname ~ '^aima_worker_[0-9a-z]{26}$' and not exists (
      select from instances where state <> 'terminated' and 'aima_worker_' || instance_id = rolname)`;
  for (const { instanceId } of rows) await closeLogins(core, instanceId);
}
