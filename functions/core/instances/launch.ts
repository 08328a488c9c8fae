/**
 * Renting: the second half of the launch. The first, writing the lease with its label, happened in
 * the planner's transaction (planner/decide.ts) and is committed when this is called.
 *
 * What a crash leaves: before `create`, a requested row without a machine; after it, a requested
 * row with one. Nobody can tell these apart from the row, so the sweep treats both as in doubt and
 * looks the label up (sweep.ts). Create is never sent again for the same lease: a second one has a
 * label of its own, written down before it.
 */

import { raise } from '../alerts/alerts.ts';
import type { Core } from '../core.ts';
import { log } from '../log.ts';
import { forgetOffer } from '../planner/offers.ts';
import { noteFailure, noteSuccess, pauseProvider } from '../providers/health.ts';
import { withoutPasswords } from '../providers/http.ts';
import type { CreateOutcome, Offer, Refusal } from '../providers/provider.ts';
import { closeLogins, openLogins, workerEnvironment } from './credentials.ts';
import { endIfDearer } from './dearer.ts';
import { releaseJobs, startEnding } from './end.ts';
import { avoid, lessonOfRefusal } from './memory.ts';

export interface Lease {
  instanceId: string;
  provider: string;
  label: string;
  offer: Offer;
  deadlineAt: Date;
  maxCostMicrodollars: number;
}

/** For how long nothing is rented from an account that a person must see to. */
const accountPauseSeconds = 10 * 60;

/** Asks the provider once for the machine of a lease and records what came of it. Never throws. */
export async function launch(core: Core, lease: Lease): Promise<void> {
  let outcome: CreateOutcome;
  try {
    const provider = core.providers.get(lease.provider)!;
    // A crash here leaves logins without a machine: they end with the lease.
    await openLogins(core, lease.instanceId, lease.deadlineAt);
    outcome = await provider.create({
      label: lease.label,
      offer: lease.offer,
      environment: workerEnvironment(core, lease, provider),
      deadlineAt: lease.deadlineAt,
      maxCostMicrodollars: lease.maxCostMicrodollars,
    });
  } catch (error) {
    await recordDoubt(core, lease, error);
    return;
  }
  // A crash here leaves a requested row with a machine: the same as an answer that was lost.
  try {
    await record(core, lease, outcome);
  } catch (error) {
    const { instanceId, provider } = lease;
    log.error('a launch was not recorded', { instanceId, provider, outcome: outcome.kind, error });
  }
}

async function recordDoubt(core: Core, lease: Lease, error: unknown): Promise<void> {
  const { instanceId, provider } = lease;
  log.error('a launch is in doubt', { instanceId, provider, error });
  try {
    await core.sql`
      update instances set state = 'in_doubt', next_look_at = now()
      where instance_id = ${lease.instanceId} and state = 'requested'`;
    await noteFailure(core.sql, lease.provider, error);
  } catch (unrecorded) {
    // The row says `requested`, and the sweep makes the same of it.
    log.error('a doubt was not noted', { instanceId, provider, error: unrecorded });
  }
}

async function record(core: Core, lease: Lease, outcome: CreateOutcome): Promise<void> {
  const { instanceId, provider, offer } = lease;
  if (outcome.kind === 'refused') return recordRefusal(core, lease, outcome);
  const price = outcome.kind === 'created' ? outcome.priceMicrodollarsPerHour : undefined;
  await recordMachine(core, instanceId, outcome.providerInstanceId, price);
  await noteSuccess(core.sql, provider);
  if (outcome.kind === 'broken') {
    await startEnding(core, instanceId, 'broken', `${provider}: ${withoutPasswords(outcome.detail)}`);
  } else {
    const { priceMicrodollarsPerHour } = outcome;
    await endIfDearer(core, instanceId, offer.priceMicrodollarsPerHour, priceMicrodollarsPerHour);
  }
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

/** Surely no machine: the jobs go back at once, and the planner is rung to choose another offer. */
async function recordRefusal(
  core: Core,
  lease: Lease,
  { why, detail }: Extract<CreateOutcome, { kind: 'refused' }>,
): Promise<void> {
  const { instanceId, provider, offer } = lease;
  const said = withoutPasswords(detail);
  const released = await core.sql.begin(async (tx) => {
    await learnFromRefusal(tx, lease, why, said);
    await releaseJobs(tx, instanceId, `${provider}: ${said}`, false);
    return tx`
      update instances set state = 'terminated', reason = ${why}
      where instance_id = ${instanceId} and state = 'requested' returning instance_id`;
  });
  await forgetOffer(core, provider, offer.offerId);
  await closeLogins(core, instanceId);
  if (released.length > 0) core.publisher.jobsQueued([]);
}

async function learnFromRefusal(
  tx: Parameters<typeof avoid>[0],
  { provider, offer }: Lease,
  why: Refusal,
  detail: string,
): Promise<void> {
  const lesson = lessonOfRefusal(why);
  if (lesson) await avoid(tx, { ...lesson, provider, key: offer.offerId, reason: detail.slice(0, 300) });
  if (why === 'rate_limited') await pauseProvider(tx, provider, 60, 'asked too often');
  if (why === 'no_credit' || why === 'unauthorized') {
    const reason = why === 'no_credit' ? 'the account has no credit' : 'the key is not taken';
    await pauseProvider(tx, provider, accountPauseSeconds, reason);
    await raise(tx, {
      key: `provider:${provider}:${why}`,
      severity: 'critical',
      text: `${provider}: ${reason}. Nothing is rented there until that is mended.`,
      data: { provider },
    });
  }
}
