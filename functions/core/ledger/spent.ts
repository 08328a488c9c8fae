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

/** What is charged and lies wholly in the period is not reckoned again: of thousands that is seconds for each look. */
export async function readSpent(sql: Sql | Tx): Promise<Spent> {
  const [day, month] = [sql`date_trunc('day', now(), 'UTC')`, sql`date_trunc('month', now(), 'UTC')`];
  const isOf = (since: typeof day) => sql`(state <> 'terminated'
    or state = 'terminated' and terminated_at >= ${since} and gone_at >= ${since})`;
  const isChargedWithin = (since: typeof day) => sql`(charged_at is not null and requested_at >= ${since})`;
  const costSince = (since: typeof day) => sql`
    case when ${isChargedWithin(since)} then cost_microdollars else cost_since(i, ${since}) end`;
  const [[sums], users] = await Promise.all([
    sql<{ todayMicrodollars: number; monthMicrodollars: number }[]>`
      select coalesce(sum(${costSince(day)}) filter (where ${isOf(day)}), 0)::bigint as today_microdollars,
        coalesce(sum(${costSince(month)}), 0)::bigint as month_microdollars
      from instances i where ${isOf(month)}`,
    sql<{ userId: string; microdollars: number }[]>`
      select user_id, sum(microdollars)::bigint as microdollars
      from (
        select c.user_id, c.microdollars from instances i join charges c using (instance_id)
        where ${isOf(day)} and ${isChargedWithin(day)}
        union all
        select s.user_id, ceil(cost_since(i, ${day}) * s.weight / s.whole)
        from instances i cross join lateral instance_shares(i) s
        where ${isOf(day)} and not ${isChargedWithin(day)}
      ) part
      where user_id is not null group by user_id`,
  ]);
  return { ...sums!, todayByUser: Object.fromEntries(users.map((row) => [row.userId, row.microdollars])) };
}
