/**
 * Renting: the second half of the launch. The first, writing the lease with its label, happened in
 * the planner's transaction (planner/decide.ts) and is committed when this is called.
 *
 * What a crash leaves: before `create`, a requested row without a machine; after it, a requested
 * row with one. Nobody can tell these apart from the row, so the sweep treats both as in doubt and
 * looks the label up (sweep.ts).
 */
import type { Core } from '../core.ts';
import type { CreateOutcome, Offer } from '../providers/provider.ts';
import { closeLogins, openLogins, workerEnvironment } from './credentials.ts';
import { releaseJobs } from './end.ts';

export interface Lease {
  instanceId: string;
  provider: string;
  label: string;
  offer: Offer;
  deadlineAt: Date;
}

/** Asks the provider once for the machine of a lease and records what came of it. Never throws. */
export async function launch(core: Core, lease: Lease): Promise<void> {
  let outcome: CreateOutcome;
  try {
    await openLogins(core, lease.instanceId, lease.deadlineAt);
    outcome = await core.providers.get(lease.provider)!.create({
      label: lease.label,
      offer: lease.offer,
      environment: workerEnvironment(core, lease.instanceId),
    });
  } catch (error) {
    console.error(`launch of ${lease.instanceId} in doubt:`, error);
    await core.sql`
      update instances set state = 'in_doubt', next_look_at = now()
      where instance_id = ${lease.instanceId} and state = 'requested'`;
    return;
  }
  if (outcome.kind === 'refused') await recordRefusal(core, lease, outcome);
  else
    await recordMachine(core, lease.instanceId, outcome.providerInstanceId, outcome.priceMicrodollarsPerHour);
}

/** The machine exists. Its worker may have said hello already, or the lease may be ending. */
export async function recordMachine(
  core: Core,
  instanceId: string,
  providerInstanceId: string,
  priceMicrodollarsPerHour?: number,
): Promise<void> {
  await core.sql`
    update instances set
      provider_instance_id = ${providerInstanceId},
      created_at = coalesce(created_at, clock_timestamp()),
      price_microdollars_per_hour = coalesce(${priceMicrodollarsPerHour ?? null}, price_microdollars_per_hour),
      state = case when state in ('requested', 'in_doubt') then 'booting' else state end
    where instance_id = ${instanceId} and state <> 'terminated'`;
}

async function recordRefusal(
  core: Core,
  lease: Lease,
  { why, detail }: Extract<CreateOutcome, { kind: 'refused' }>,
): Promise<void> {
  await core.sql.begin(async (tx) => {
    await releaseJobs(tx, lease.instanceId, `${lease.provider}: ${detail}`, false);
    await tx`
      update instances set state = 'terminated', reason = ${why}
      where instance_id = ${lease.instanceId} and state = 'requested'`;
  });
  await closeLogins(core, lease.instanceId);
}
