/**
 * What one person's jobs cost in a period: by day, by provider, by phase, and how near the estimates
 * were. Charges count on the UTC day on which their machine was gone; what still runs is told beside.
 */
import type { Sql } from '../database.ts';
import { readWaste, type Waste } from './waste.ts';

export interface Costs {
  since: string;
  microdollars: number;
  /** Of machines that are not gone yet, as it has accrued by now: not in any other figure here. */
  accruedMicrodollars: number;
  days: { day: string; microdollars: number }[];
  providers: { provider: string; instances: number; microdollars: number }[];
  waste: Pick<Waste, 'phases' | 'wasteShare'>;
  estimates: Estimates;
}

/** Of jobs that succeeded since then and had a quote. */
export interface Estimates {
  jobs: number;
  expectedMicrodollars: number;
  actualMicrodollars: number;
  /** Of |actual − expected| ÷ actual over the jobs that cost something; null where there are none. */
  medianError: number | null;
  p90Error: number | null;
}

export async function readCosts(sql: Sql, userId: string, since: Date): Promise<Costs> {
  const [days, providers, [accrued], waste, [estimates]] = await Promise.all([
    sql<Costs['days']>`
      select to_char(gone_at at time zone 'UTC', 'YYYY-MM-DD') as day, sum(microdollars)::bigint as microdollars
      from charges join instances using (instance_id)
      where state = 'terminated' and terminated_at >= ${since} and gone_at >= ${since} and user_id = ${userId}
      group by day order by day`,
    sql<Costs['providers']>`
      select provider, count(distinct instance_id)::int as instances, sum(microdollars)::bigint as microdollars
      from charges join instances using (instance_id)
      where state = 'terminated' and terminated_at >= ${since} and gone_at >= ${since} and user_id = ${userId}
      group by provider order by microdollars desc, provider`,
    sql<{ microdollars: number }[]>`
      select coalesce(sum(ceil(cost_since(i, requested_at) * s.weight / s.whole)), 0)::bigint as microdollars
      from instances i cross join lateral instance_shares(i) s
      where state <> 'terminated' and s.user_id = ${userId}`,
    readWaste(sql, { since, userId }),
    sql<Estimates[]>`
      select count(*)::int as jobs, coalesce(sum(expected), 0)::bigint as expected_microdollars,
        coalesce(sum(actual), 0)::bigint as actual_microdollars,
        percentile_cont(0.5) within group (order by abs(actual - expected) / nullif(actual, 0)) as median_error,
        percentile_cont(0.9) within group (order by abs(actual - expected) / nullif(actual, 0)) as p90_error
      from (
        select cost_microdollars::float8 as actual, (quote ->> 'expectedMicrodollars')::float8 as expected
        from jobs where user_id = ${userId} and state = 'succeeded' and finished_at >= ${since} and quote is not null
          and parent_job_id is null
      ) quoted`,
  ]);
  return {
    since: since.toISOString(),
    microdollars: waste.microdollars,
    accruedMicrodollars: accrued!.microdollars,
    days: [...days],
    providers: [...providers],
    waste: { phases: waste.phases, wasteShare: waste.wasteShare },
    estimates: estimates!,
  };
}
