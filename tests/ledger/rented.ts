/** Instances and attempts that are some time old, for tests of what they cost. */

import type { Sql } from '../../functions/core/database.ts';
import { newId } from '../../functions/core/ids.ts';
import type { Offer } from '../../functions/core/providers/provider.ts';

/** One moment for a whole file, so that times which are told in different statements fit to the millisecond. */
const nowMs = Date.now();
const ago = (seconds: number | undefined) =>
  seconds === undefined ? null : new Date(nowMs - seconds * 1000);

export interface Rented {
  /** Seconds before this file began, each; what is left out did not happen. */
  requestedAgo: number;
  startedAgo?: number;
  readyAgo?: number;
  terminatingAgo?: number;
  goneAgo?: number;
  /** Micro-dollars. */
  pricePerHour?: number;
  rentedFor?: string;
  provider?: string;
  providerInstanceId?: string | null;
  offer?: Partial<Offer>;
}

/** One that is gone is only called terminated where `goneAgo` is given; its charges are not written. */
export async function insertRented(sql: Sql, rented: Rented): Promise<string> {
  const instanceId = newId();
  const { requestedAgo, startedAgo, readyAgo, terminatingAgo, goneAgo } = rented;
  const id = rented.providerInstanceId === undefined ? `machine-${instanceId}` : rented.providerInstanceId;
  await sql.begin(async (tx) => {
    await tx`
      insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at, rented_for,
        provider_instance_id)
      values (${instanceId}, ${`aima-tests0-${instanceId}`}, ${rented.provider ?? 'local'}, 'requested',
        ${tx.json({ billedFrom: 'request', ...rented.offer })}, ${rented.pricePerHour ?? 3_600_000},
        now() + interval '1 hour', ${rented.rentedFor ?? null}, ${id})`;
    const states = [
      'booting',
      readyAgo !== undefined && 'ready',
      terminatingAgo !== undefined && 'terminating',
    ];
    for (const state of [...states, goneAgo !== undefined && 'terminated'].filter(Boolean))
      await tx`update instances set state = ${state as string} where instance_id = ${instanceId}`;
    await tx`
      update instances set requested_at = ${ago(requestedAgo)}, started_at = ${ago(startedAgo)}, ready_at = ${ago(readyAgo)},
        terminating_at = ${ago(terminatingAgo)}, gone_at = ${ago(goneAgo)}, terminated_at = ${ago(goneAgo)}
      where instance_id = ${instanceId}`;
  });
  return instanceId;
}

/** A job's attempt on it. With no end it runs, and the job belongs to the instance. */
export async function insertAttempt(
  sql: Sql,
  attempt: { jobId: string; instanceId: string; startedAgo: number; endedAgo?: number; attempt?: number },
): Promise<void> {
  const { jobId, instanceId, startedAgo, endedAgo } = attempt;
  await sql`
    insert into attempts (job_id, attempt, instance_id, fence, started_at, ended_at, outcome)
    values (${jobId}, ${attempt.attempt ?? 1}, ${instanceId}, 1,
      ${ago(startedAgo)},
      ${ago(endedAgo)},
      ${endedAgo === undefined ? null : 'succeeded'})`;
  if (endedAgo !== undefined) return;
  await sql`update jobs set state = 'assigned', instance_id = ${instanceId} where job_id = ${jobId}`;
  await sql`update jobs set state = 'running', attempt = ${attempt.attempt ?? 1} where job_id = ${jobId}`;
}
