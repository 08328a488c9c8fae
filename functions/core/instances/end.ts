/**
 * Ending: termination is an outcome, not a request. An instance is `terminated` when the provider
 * acknowledged the delete, then answered two reads of it by id with "there is none such", and shows
 * it in no whole list. An error never means gone. Until then it counts as billed and is asked again,
 * for ever; when that takes long a human is told (watchEndings).
 *
 * What a crash leaves: the row says `terminating` before the provider is asked, so whatever is
 * lost after that is asked again. Asking twice is harmless.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { raise, resolve } from '../alerts/alerts.ts';
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { recordCharges } from '../ledger/charges.ts';
import { log } from '../log.ts';
import { hourly } from '../money.ts';
import { noteFailure } from '../providers/health.ts';
import type { Provider } from '../providers/provider.ts';
import { closeLogins } from './credentials.ts';
import { hintedId } from './hint.ts';
import { avoid, lessonsOfEnd } from './memory.ts';
import { forgetNeverReady, noteNeverReady } from './never-ready.ts';
import { type EndReason, endReasons } from './verdict.ts';

/** Two "no such" in a row prove it. */
const readsToBeGone = 2;

/** First again at once, then slower, but never slower than this. */
const longestPauseSeconds = 60;

/** Puts an instance's jobs back to the queue, or fails those whose last attempt this was. */
export async function releaseJobs(tx: Tx, instanceId: string, detail: string, died: boolean): Promise<void> {
  await tx`select release_jobs(${instanceId}, ${detail}, ${died})`;
}

/**
 * Marks an instance as ending and gives its jobs back, in one transaction.
 * @returns whether it was this call that did it.
 */
export async function startEnding(
  core: Core,
  instanceId: string,
  reason: EndReason,
  detail: string,
): Promise<boolean> {
  const began = await core.sql.begin(async (tx) => {
    // The job before its instance, as where progress is noted: the other way round is a deadlock.
    await tx`
      select from jobs where instance_id = ${instanceId} and state in ('assigned', 'running') order by job_id for update`;
    const [row] = await tx`
      update instances set state = 'terminating', reason = ${reason}
      where instance_id = ${instanceId} and state in ('requested', 'in_doubt', 'booting', 'ready')
      returning instance_id`;
    if (!row) return false;
    await releaseJobs(tx, instanceId, detail, endReasons[reason].died);
    return true;
  });
  if (began) core.publisher.instanceDrained(instanceId);
  return began;
}

interface Ending {
  instanceId: string;
  provider: string;
  label: string;
  providerInstanceId: string | null;
  hintedId: string | null;
  offerId: string | null;
  host: string | null;
  isFree: boolean;
  reason: string | null;
  terminateTries: number;
  goneReads: number;
  ageMs: number;
  isOverdue: boolean;
  /** The provider has shown it: a worker that speaks is no sign that reads and lists know of its machine yet. */
  wasSeen: boolean;
}

/** Goes one step with every instance that is terminating and due. @returns those that are proven gone. */
export async function endInstances(core: Core, only?: string): Promise<string[]> {
  // The intent: counted and put off before the provider is asked, so that two of us do not ask at once.
  const due = await core.sql<Ending[]>`
    update instances i set
      terminate_tries = terminate_tries + 1,
      terminate_asked_at = coalesce(terminate_asked_at, clock_timestamp()),
      next_look_at = now() + make_interval(secs => least(${longestPauseSeconds}, 2 ^ least(terminate_tries + 1, 10)))
    where instance_id in (
      select instance_id from instances
      where state = 'terminating' and next_look_at <= now() and (${only ?? null}::text is null or instance_id = ${only ?? null})
      for update skip locked)
    returning instance_id, provider, label, provider_instance_id, ${hintedId(core.sql)} as hinted_id, offer ->> 'offerId' as offer_id, host, price_microdollars_per_hour = 0 as is_free, reason,
      terminate_tries, gone_reads, extract(epoch from now() - requested_at)::float8 * 1000 as age_ms,
      deadline_at < now() as is_overdue, seen_at is not null as was_seen`;
  const gone = await Promise.all(
    due.map(async (instance) => {
      try {
        if (instance.terminateTries === 1) await learn(core, instance);
        return await end(core, instance);
      } catch (error) {
        const { instanceId, provider, terminateTries } = instance;
        log.error('a machine is not ended yet', { instanceId, provider, tries: terminateTries, error });
        await noteFailure(core.sql, instance.provider, error).catch(() => {});
        return false;
      }
    }),
  );
  return due.filter((_, index) => gone[index]).map(({ instanceId }) => instanceId);
}

/**
 * Here, at the first step of every ending, since a worker can begin one as well (worker.unfit). Nothing
 * is learned of this very machine: there is no other, and it costs nothing to try again.
 */
async function learn(core: Core, { provider, offerId, host, isFree, reason }: Ending): Promise<void> {
  if (core.providers.get(provider)?.isRemote === false) return;
  for (const lesson of lessonsOfEnd(reason ?? '', isFree)) {
    const key = lesson.kind === 'offer' ? offerId : host;
    if (key) await avoid(core.sql, { ...lesson, provider, key, reason: reason! });
  }
  await noteNeverReady(core, provider, reason);
}

async function end(core: Core, instance: Ending): Promise<boolean> {
  const provider = core.providers.get(instance.provider);
  if (!provider)
    throw new Error(`${instance.provider} is not configured any more; its machine may still be billed`);
  const id = instance.providerInstanceId ?? (await findId(provider, instance));
  if (id) {
    // Kept before it is used: after a crash the reads go on by id, which no list's lag can spoil.
    if (!instance.providerInstanceId)
      await core.sql`
        update instances set provider_instance_id = ${id} where instance_id = ${instance.instanceId}`;
    // Of one that ends so soon that no list has shown it, this read must be the sign.
    instance.wasSeen ||= (await provider.read(id)) !== null;
    await provider.terminate(id);
  }
  if (!instance.wasSeen && instance.ageMs <= provider.createTimeoutMs + provider.listLagMs) return false;

  let reads = instance.goneReads;
  while (reads < readsToBeGone) {
    const isGone = id ? (await provider.read(id)) === null : await isUnlisted(provider, instance);
    reads = isGone ? reads + 1 : 0;
    await core.sql`
      update instances set gone_reads = ${reads},
        gone_at = case when ${reads} = 0 then null else coalesce(gone_at, clock_timestamp()) end
      where instance_id = ${instance.instanceId} and state = 'terminating'`;
    if (!isGone) return false;
    if (reads < readsToBeGone) await sleep(200);
  }
  // A provider that answers "no such" of a machine that runs shows it in its list all the same.
  if (id && (await provider.list())?.some((machine) => machine.label === instance.label)) {
    await core.sql`
      update instances set gone_reads = 0, gone_at = null
      where instance_id = ${instance.instanceId} and state = 'terminating'`;
    return false;
  }
  await recordGone(core, instance.instanceId);
  return true;
}

/** Where the create was never answered: by our label in the list, which is unique, or as its worker named it. */
async function findId(provider: Provider, { label, hintedId }: Ending): Promise<string | null> {
  const machines = await provider.list();
  if (machines) return machines.find((machine) => machine.label === label)?.providerInstanceId ?? null;
  return hintedId !== null && (await provider.read(hintedId)) ? hintedId : null;
}

/** Where there is no list to be absent from, the end of its time is the sign: the provider keeps it too. */
async function isUnlisted(provider: Provider, { label, isOverdue }: Ending): Promise<boolean> {
  const machines = await provider.list();
  return machines ? !machines.some((machine) => machine.label === label) : isOverdue;
}

async function recordGone(core: Core, instanceId: string): Promise<void> {
  await core.sql.begin(async (tx) => {
    const [row] = await tx`
      update instances set state = 'terminated', gone_at = coalesce(gone_at, clock_timestamp())
      where instance_id = ${instanceId} and state = 'terminating' returning instance_id`;
    if (!row) return;
    await recordCharges(tx, instanceId);
    await resolve(tx, notGone(instanceId));
  });
  await closeLogins(core, instanceId);
}

function notGone(instanceId: string): string {
  return `instance:${instanceId}:not_gone`;
}

/** Tells a human of machines that do not go, since money runs; once for each until it is gone. */
export async function watchEndings(core: Core): Promise<void> {
  await forgetNeverReady(core);
  const stuck = await core.sql<
    {
      instanceId: string;
      provider: string;
      label: string;
      priceMicrodollarsPerHour: number;
      terminateTries: number;
      minutes: number;
    }[]
  >`
    select instance_id, provider, label, price_microdollars_per_hour, terminate_tries,
      (extract(epoch from now() - terminating_at) / 60)::integer as minutes
    from instances
    where state = 'terminating' and terminating_at < now() - make_interval(mins => ${core.config.AIMA_ALERT_AFTER_MINUTES})`;
  for (const { instanceId, provider, label, priceMicrodollarsPerHour, terminateTries, minutes } of stuck) {
    await raise(core.sql, {
      key: notGone(instanceId),
      severity: 'critical',
      text: `${provider} has not confirmed for ${minutes} min that ${label} is gone (asked ${terminateTries} times). It may still be billed, at ${hourly(priceMicrodollarsPerHour)}: end it on the provider's own page.`,
      data: { provider, label, instanceId },
    });
  }
}
