/** What was paid for, phase by phase, and how much of it was not work. From the charges alone. */
import type { Sql, Tx } from '../database.ts';
import { type Phase, phases } from './bill.ts';

export interface PhaseSum {
  phase: Phase;
  durationMs: number;
  microdollars: number;
}

export interface Waste {
  phases: PhaseSum[];
  microdollars: number;
  /**
   * 1 − work ÷ billed, in money without traffic; in time where the machines cost nothing. Null where
   * nothing was charged.
   */
  wasteShare: number | null;
}

/** Of one job: null until the first of its machines is gone. */
export async function readJobWaste(sql: Sql | Tx, jobId: string): Promise<Waste | null> {
  const rows = await sql<PhaseSum[]>`
    select phase, sum(duration_ms)::bigint as duration_ms, sum(microdollars)::bigint as microdollars
    from charges
    where job_id = ${jobId} or job_id in (select job_id from jobs where parent_job_id = ${jobId}) group by phase`;
  return rows.length === 0 ? null : wasteOf(rows);
}

/** Of all machines that were gone since then; with a user, of what they cost that user. */
export async function readWaste(
  sql: Sql | Tx,
  { since, userId }: { since: Date; userId?: string },
): Promise<Waste> {
  return wasteOf(
    await sql<PhaseSum[]>`
      select phase, sum(duration_ms)::bigint as duration_ms, sum(microdollars)::bigint as microdollars
      from charges join instances using (instance_id)
      where state = 'terminated' and terminated_at >= ${since} and gone_at >= ${since}
        and (${userId ?? null}::text is null or user_id = ${userId ?? null})
      group by phase`,
  );
}

/** Pure. Phases come in the order of a machine's life. */
export function wasteOf(sums: readonly PhaseSum[]): Waste {
  const timed = sums.filter(({ phase }) => phase !== 'traffic');
  const total = (key: 'microdollars' | 'durationMs', rows: readonly PhaseSum[]) =>
    rows.reduce((sum, row) => sum + row[key], 0);
  const key = total('microdollars', timed) > 0 ? 'microdollars' : 'durationMs';
  const billed = total(key, timed);
  const work = total(
    key,
    timed.filter(({ phase }) => phase === 'work'),
  );
  return {
    phases: sums.toSorted((a, b) => phases.indexOf(a.phase) - phases.indexOf(b.phase)),
    microdollars: total('microdollars', sums),
    wasteShare: billed === 0 ? null : 1 - work / billed,
  };
}
