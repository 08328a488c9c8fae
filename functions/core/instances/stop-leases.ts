/**
 * The big red button where Postgres is there: the queue is held first, so that nothing is rented
 * anew, every lease is marked as ending, and then everything is ended that the providers show.
 *
 * What a crash leaves: a held queue and leases that are terminating, which the sweep goes on with.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Core } from '../core.ts';
import { log } from '../log.ts';
import { hold } from '../planner/hold.ts';
import { endInstances, startEnding } from './end.ts';
import { StopReport, stopEverything, untilAborted } from './stop-everything.ts';

export const Stopped = z.object({
  /** Nothing is rented and no job begins until the queue is released. */
  held: z.literal(true),
  /** Nothing of ours is at any provider, and that is certain. Else the sweep goes on until it is. */
  confirmed: z.boolean(),
  providers: z.array(StopReport),
  /** Leases whose machine is not proven gone; it counts as billed until then. */
  leasesLeft: z.array(z.object({ instanceId: z.string(), provider: z.string() })),
});

export type Stopped = z.infer<typeof Stopped>;

/** @param patienceMs after which it answers with what is known. */
export async function stopAllLeases(core: Core, patienceMs: number): Promise<Stopped> {
  const signal = AbortSignal.timeout(patienceMs);
  await hold(core.sql, true);
  const live = await core.sql<{ instanceId: string }[]>`
    select instance_id from instances where state in ('requested', 'in_doubt', 'booting', 'ready')`;
  for (const { instanceId } of live)
    await startEnding(core, instanceId, 'stop_everything', 'Somebody stopped everything.');

  const providers = await stopEverything(core.providers.values(), core.config.secret('owner-id'), {
    signal,
    log: (line) => log.info(`stop everything: ${line}`),
    // A create that is not answered yet has its lease, which is watched until its machine must have shown.
    waitsForLate: false,
  });
  await noteSeen(core, providers);
  await Promise.race([endLeases(core, signal), untilAborted(signal)]);
  const leasesLeft = await core.sql<{ instanceId: string; provider: string }[]>`
    select instance_id, provider from instances where state <> 'terminated' order by instance_id`;
  const confirmed = leasesLeft.length === 0 && providers.every((provider) => provider.confirmed);
  return { held: true, confirmed, providers, leasesLeft: [...leasesLeft] };
}

/**
 * Lets the leases follow what the providers have shown, until none is left whose machine is known. One
 * whose create was never answered can only be called over when its machine would have shown by now.
 */
async function endLeases(core: Core, signal: AbortSignal): Promise<void> {
  for (let pauseMs = 500; !signal.aborted; pauseMs *= 2) {
    await core.sql`update instances set next_look_at = now() where state = 'terminating'`;
    await endInstances(core);
    const [left] = await core.sql`
      select from instances where state = 'terminating' and provider_instance_id is not null limit 1`;
    if (!left) return;
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
}

/** A machine that was shown is known by its id from now on, and its absence means something. */
async function noteSeen(core: Core, reports: StopReport[]): Promise<void> {
  for (const { provider, machines } of reports) {
    for (const { label, providerInstanceId } of machines)
      await core.sql`
        update instances set seen_at = coalesce(seen_at, now()),
          provider_instance_id = coalesce(provider_instance_id, ${providerInstanceId})
        where provider = ${provider} and label = ${label} and state = 'terminating'`;
  }
}
