/**
 * Ending: termination is an outcome, not a request. An instance is `terminated` when the provider
 * acknowledged the delete and then answered two reads of it by id with "there is none such". An
 * error never means gone. Until then it counts as billed and is asked again, for ever.
 *
 * What a crash leaves: the row says `terminating` before the provider is asked, so whatever is
 * lost after that is asked again. Asking twice is harmless.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { price } from '../planner/estimate.ts';
import type { Provider } from '../providers/provider.ts';
import { closeLogins } from './credentials.ts';

/** Two "no such" in a row prove it. */
const readsToBeGone = 2;

/** First again at once, then slower, but never slower than this. */
const longestPauseSeconds = 60;

/** Reasons that count against the jobs it had: nobody ended it, so it may have been they. */
const deaths = ['boot_timeout', 'lost_contact', 'vanished', 'never_appeared', 'deadline'];

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
  reason: string,
  detail: string,
): Promise<boolean> {
  const began = await core.sql.begin(async (tx) => {
    const [row] = await tx`
      update instances set state = 'terminating', reason = ${reason}
      where instance_id = ${instanceId} and state in ('requested', 'in_doubt', 'booting', 'ready')
      returning instance_id`;
    if (!row) return false;
    await releaseJobs(tx, instanceId, detail, deaths.includes(reason));
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
  terminateTries: number;
  goneReads: number;
}

/** Goes one step with every instance that is terminating and due. @returns those that are proven gone. */
export async function endInstances(core: Core, only?: string): Promise<string[]> {
  // The intent: counted and put off before the provider is asked, so that two of us do not ask at once.
  const due = await core.sql<Ending[]>`
    update instances set
      terminate_tries = terminate_tries + 1,
      terminate_asked_at = coalesce(terminate_asked_at, clock_timestamp()),
      next_look_at = now() + make_interval(secs => least(${longestPauseSeconds}, 2 ^ least(terminate_tries + 1, 10)))
    where instance_id in (
      select instance_id from instances
      where state = 'terminating' and next_look_at <= now() and (${only ?? null}::text is null or instance_id = ${only ?? null})
      for update skip locked)
    returning instance_id, provider, label, provider_instance_id, terminate_tries, gone_reads`;
  const gone = await Promise.all(
    due.map(async (instance) => {
      try {
        return await end(core, instance);
      } catch (error) {
        console.error(`ending ${instance.instanceId}, try ${instance.terminateTries}:`, error);
        return false;
      }
    }),
  );
  return due.filter((_, index) => gone[index]).map(({ instanceId }) => instanceId);
}

async function end(core: Core, instance: Ending): Promise<boolean> {
  const provider = core.providers.get(instance.provider);
  if (!provider)
    throw new Error(`${instance.provider} is not configured any more; its machine may still be billed`);
  const id = instance.providerInstanceId ?? (await idByLabel(provider, instance.label));
  if (id) await provider.terminate(id);
  let reads = instance.goneReads;
  while (reads < readsToBeGone) {
    const there = id ? await provider.read(id) : await idByLabel(provider, instance.label);
    reads = there ? 0 : reads + 1;
    await core.sql`
      update instances set gone_reads = ${reads}, provider_instance_id = coalesce(provider_instance_id, ${id ?? null})
      where instance_id = ${instance.instanceId} and state = 'terminating'`;
    if (there) return false;
    if (reads < readsToBeGone) await sleep(200);
  }
  await recordGone(core, instance.instanceId);
  return true;
}

/** Where the id was never learned: the complete list, in which our label is unique. */
async function idByLabel(provider: Provider, label: string): Promise<string | null> {
  return (await provider.list()).find((machine) => machine.label === label)?.providerInstanceId ?? null;
}

async function recordGone(core: Core, instanceId: string): Promise<void> {
  const [row] = await core.sql<{ billedMs: number; priceMicrodollarsPerHour: number }[]>`
    select extract(epoch from clock_timestamp() - requested_at)::float8 * 1000 as billed_ms, price_microdollars_per_hour
    from instances where instance_id = ${instanceId}`;
  await core.sql`
    update instances set state = 'terminated', cost_microdollars = ${price(row!.priceMicrodollarsPerHour, row!.billedMs)}
    where instance_id = ${instanceId} and state = 'terminating'`;
  await closeLogins(core, instanceId);
}
