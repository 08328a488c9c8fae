/**
 * The sweep over all leases: finds what no event told of. Every provider is listed once; an error
 * there means "unknown" and nothing is concluded from it.
 */
import type { Core } from '../core.ts';
import type { Machine, Provider } from '../providers/provider.ts';
import { startEnding } from './end.ts';
import { instanceOfLabel } from './label.ts';
import { recordMachine } from './launch.ts';

interface Live {
  instanceId: string;
  provider: string;
  label: string;
  state: 'requested' | 'in_doubt' | 'booting' | 'ready';
  providerInstanceId: string | null;
  ageMs: number;
  silentMs: number | null;
  overdue: boolean;
  vanishedReads: number;
}

/** @returns how many leases are alive or in doubt. */
export async function sweepInstances(core: Core): Promise<number> {
  const live = await liveInstances(core);
  const listed = new Set<string>();
  for (const provider of core.providers.values()) {
    try {
      const here = live.filter((instance) => instance.provider === provider.name);
      await reconcile(core, provider, here);
      listed.add(provider.name);
    } catch (error) {
      console.error(`${provider.name} cannot be listed; nothing is concluded:`, error);
    }
  }
  // Read anew: what the lists have just shown is not in doubt any more.
  for (const instance of await liveInstances(core)) {
    await checkClock(core, instance, listed.has(instance.provider));
  }
  return live.length;
}

function liveInstances(core: Core): Promise<Live[]> {
  return core.sql<Live[]>`
    select instance_id, provider, label, state, provider_instance_id, vanished_reads,
      extract(epoch from now() - requested_at)::float8 * 1000 as age_ms,
      extract(epoch from now() - heartbeat_at)::float8 * 1000 as silent_ms,
      deadline_at < now() as overdue
    from instances where state in ('requested', 'in_doubt', 'booting', 'ready')`;
}

/** What the row alone tells: deadlines, silence, a boot that takes too long, an answer that never came. */
async function checkClock(core: Core, instance: Live, listed: boolean): Promise<void> {
  const { config, providers } = core;
  const { instanceId, state, ageMs, silentMs } = instance;
  const { createTimeoutMs = 0, listLagMs = 0 } = providers.get(instance.provider) ?? {};
  if (instance.overdue) {
    await startEnding(core, instanceId, 'deadline', 'The instance reached the end of its lease.');
  } else if (state === 'requested' && ageMs > createTimeoutMs) {
    await core.sql`
      update instances set state = 'in_doubt', next_look_at = now() where instance_id = ${instanceId} and state = 'requested'`;
  } else if (state === 'in_doubt' && listed && ageMs > createTimeoutMs + listLagMs) {
    await startEnding(core, instanceId, 'never_appeared', 'The provider never showed the instance.');
  } else if (state === 'booting' && ageMs > config.AIMA_BOOT_TIMEOUT_SECONDS * 1000) {
    await startEnding(core, instanceId, 'boot_timeout', 'The instance did not boot in time.');
  } else if (state === 'ready' && (silentMs ?? 0) > config.AIMA_LOST_CONTACT_SECONDS * 1000) {
    await startEnding(
      core,
      instanceId,
      'lost_contact',
      `The worker was silent for ${Math.round(silentMs! / 1000)} s.`,
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
