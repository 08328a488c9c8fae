/**
 * What was spent, for the budgets: today and this month, in UTC. A living instance counts as it has
 * accrued so far, one that is gone by the part of its billed time that lies in the period, so that
 * one that lived over midnight counts in both, and the two parts are its cost exactly. Traffic
 * counts when the instance ends, and until then now.
 */
import type { Sql, Tx } from '../database.ts';

export interface Spent {
  todayMicrodollars: number;
  monthMicrodollars: number;
  /** Today's, by whose jobs it was, each rounded up: the sum may be a few micro-dollars more. */
  todayByUser: Record<string, number>;
}

export async function readSpent(sql: Sql | Tx): Promise<Spent> {
  const [[sums], users] = await Promise.all([
    sql<{ todayMicrodollars: number; monthMicrodollars: number }[]>`
      select
        coalesce(sum(cost_since(i, date_trunc('day', now(), 'UTC'))) filter (
          where state <> 'terminated' or gone_at >= date_trunc('day', now(), 'UTC')), 0)::bigint as today_microdollars,
        coalesce(sum(cost_since(i, date_trunc('month', now(), 'UTC'))), 0)::bigint as month_microdollars
      from instances i
      where state <> 'terminated'
        or state = 'terminated' and terminated_at >= date_trunc('month', now(), 'UTC')
          and gone_at >= date_trunc('month', now(), 'UTC')`,
    sql<{ userId: string; microdollars: number }[]>`
      select user_id, sum(ceil(cost_since(i, date_trunc('day', now(), 'UTC')) * s.weight / s.whole))::bigint as microdollars
      from instances i cross join lateral instance_shares(i) s
      where (state <> 'terminated'
          or state = 'terminated' and terminated_at >= date_trunc('day', now(), 'UTC')
            and gone_at >= date_trunc('day', now(), 'UTC'))
        and s.user_id is not null
      group by user_id`,
  ]);
  return { ...sums!, todayByUser: Object.fromEntries(users.map((row) => [row.userId, row.microdollars])) };
}
