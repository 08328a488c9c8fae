/** What was spent, beside what may be. */
import type { Config } from '../config.ts';
import type { Sql } from '../database.ts';
import { readSpent } from '../ledger/spent.ts';
import type { Metric } from './exposition.ts';

export async function moneyMetrics(sql: Sql, config: Config): Promise<Metric[]> {
  const spent = await readSpent(sql);
  const ofPeriods = (day: number, month: number) => [
    { labels: { period: 'day' }, value: day / 1e6 },
    { labels: { period: 'month' }, value: month / 1e6 },
  ];
  return [
    {
      name: 'aima_spent_dollars',
      type: 'gauge',
      help: 'Spent today and this month (UTC); what lives counts as it has accrued by now.',
      samples: ofPeriods(spent.todayMicrodollars, spent.monthMicrodollars),
    },
    {
      name: 'aima_budget_dollars',
      type: 'gauge',
      help: 'What may be spent in a day and in a month.',
      samples: ofPeriods(config.AIMA_MAX_DOLLARS_PER_DAY, config.AIMA_MAX_DOLLARS_PER_MONTH),
    },
  ];
}
