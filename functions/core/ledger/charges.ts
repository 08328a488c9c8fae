/** Writes an instance's bill down, once, in the transaction that calls it gone. */
import type { Tx } from '../database.ts';
import { RunReport } from '../results/run.ts';
import { type BilledAttempt, type BilledInstance, bill, type Charge, divide } from './bill.ts';

interface InstanceRow extends Omit<BilledInstance, 'billedFromMs'> {
  /** Null: its clock never began to run. */
  billedFromMs: number | null;
}

interface Attempt extends BilledAttempt {
  attempt: number;
  userId: string | null;
}

/**
 * Charges the jobs of an instance for all that it cost, and replaces what was reckoned while it
 * lived: the costs of the instance, of its attempts and of their jobs. To be called when the row
 * says `terminated` and has `gone_at`; a second time changes nothing.
 *
 * @throws Error where the instance is not gone.
 */
export async function recordCharges(tx: Tx, instanceId: string): Promise<void> {
  const [instance] = await tx<InstanceRow[]>`
    update instances i set charged_at = clock_timestamp()
    where instance_id = ${instanceId} and state = 'terminated' and gone_at is not null and charged_at is null
    returning epoch_ms(billed_from(i)) as billed_from_ms, epoch_ms(billed_until(i, gone_at)) as billed_until_ms,
      epoch_ms(started_at) as started_at_ms, epoch_ms(ready_at) as ready_at_ms, epoch_ms(terminating_at) as terminating_at_ms,
      price_microdollars_per_hour, rented_for,
      coalesce((offer #>> '{trafficMicrodollarsPerGb,in}')::float8, 0) as traffic_microdollars_per_gb`;
  if (!instance) return refuseUnlessCharged(tx, instanceId);

  // Locked before anything is summed up: another instance of the same job may be charged at the same time.
  // What a piece costs, the job that it was cut from costs too.
  const jobs = await tx<{ jobId: string; userId: string }[]>`
    select job_id, user_id from jobs
    where job_id in (select unnest(array[job_id, parent_job_id]) from jobs
      where job_id = ${instance.rentedFor} or job_id in (select job_id from attempts where instance_id = ${instanceId}))
    order by job_id for update`;
  const attempts = await readAttempts(tx, instanceId);
  const { billedFromMs } = instance;
  const charges = billedFromMs === null ? [] : bill({ ...instance, billedFromMs }, attempts);

  const users = new Map([...attempts, ...jobs].map(({ jobId, userId }) => [jobId, userId]));
  const rows = charges.map((charge) => ({
    ...charge,
    instanceId,
    userId: charge.jobId === null ? null : (users.get(charge.jobId) ?? null),
  }));
  if (rows.length > 0) await tx`insert into charges ${tx(rows)}`;
  await tx`update instances set cost_microdollars = ${sum(charges)} where instance_id = ${instanceId}`;
  await writeAttemptCosts(tx, instanceId, charges, attempts);
  for (const { jobId } of jobs)
    await tx`update jobs set cost_microdollars = job_cost(job_id) where job_id = ${jobId}`;
}

async function refuseUnlessCharged(tx: Tx, instanceId: string): Promise<void> {
  const [charged] = await tx`
    select from instances where instance_id = ${instanceId} and charged_at is not null`;
  if (!charged) throw new Error(`The instance ${instanceId} is not gone: it cannot be charged yet.`);
}

async function readAttempts(tx: Tx, instanceId: string): Promise<Attempt[]> {
  const rows = await tx<(Omit<Attempt, 'transferMs'> & { run: unknown })[]>`
    select a.job_id, a.attempt, coalesce(j.user_id, a.user_id) as user_id,
      epoch_ms(a.started_at) as started_at_ms, epoch_ms(a.ended_at) as ended_at_ms,
      case when j.attempt = a.attempt then j.run end as run, coalesce(a.traffic_bytes, m.size_bytes, 0) as traffic_bytes
    from attempts a left join jobs j using (job_id) left join media m using (media_id)
    where a.instance_id = ${instanceId}`;
  return rows.map(({ run, ...row }) => ({
    ...row,
    // The report is a stranger's word: what cannot be read of it is work.
    transferMs: Math.round(RunReport.pick({ transferMs: true }).safeParse(run).data?.transferMs ?? 0),
  }));
}

/** What a job pays for an instance is divided over its attempts there by their length; mostly there is one. */
async function writeAttemptCosts(
  tx: Tx,
  instanceId: string,
  charges: readonly Charge[],
  attempts: readonly Attempt[],
): Promise<void> {
  for (const [jobId, tries] of Map.groupBy(attempts, (attempt) => attempt.jobId)) {
    const parts = divide(
      sum(charges.filter((charge) => charge.jobId === jobId)),
      tries.map(({ startedAtMs, endedAtMs }) => Math.max(0, (endedAtMs ?? startedAtMs) - startedAtMs)),
    );
    for (const [index, { attempt }] of tries.entries())
      await tx`
        update attempts set cost_microdollars = ${parts[index]!} where job_id = ${jobId} and attempt = ${attempt}`;
  }
  // Of deleted jobs: kept until now, for this bill alone.
  await tx`
    delete from attempts a where instance_id = ${instanceId}
      and not exists (select from jobs j where j.job_id = a.job_id)`;
}

function sum(charges: readonly Charge[]): number {
  return charges.reduce((total, { microdollars }) => total + microdollars, 0);
}
