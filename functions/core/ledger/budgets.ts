/**
 * Budgets while jobs run. Before anything is rented the planner asks what is left; here what runs
 * is stopped when it reaches a limit all the same. A job's own limit is checked at each heartbeat
 * of its worker, in Postgres (0013_budget_of_boots.sql); here it is for jobs whose worker is
 * silent or has yet to speak, and for the limits of the day, the month and a user's day.
 */

import { raise, resolve } from '../alerts/alerts.ts';
import type { Config } from '../config.ts';
import type { Core } from '../core.ts';
import { settleJobs } from '../jobs/settle.ts';
import { dollars } from '../money.ts';
import { readSpent, type Spent } from './spent.ts';

/** A budget that is nearly or quite used up. */
export interface Limit {
  /** Names the period too, so that each has its own alert. */
  key: string;
  /** Whose jobs it stops; null: everybody's. */
  userId: string | null;
  state: 'near' | 'reached';
  text: string;
}

const warnAt = 0.8;

/** Stops what has reached a limit, and tells a human of limits of the installation. @returns the jobs it stopped. */
export async function enforceBudgets(core: Core): Promise<string[]> {
  const { sql } = core;
  await sql`
    select check_budget(job_id) from jobs
    where state in ('assigned', 'running') and max_cost_microdollars is not null`;
  const limits = limitsOf(await readSpent(sql), core.config, new Date());
  await tellLimits(core, limits);
  const stopped: string[] = [];
  for (const limit of limits.filter(({ state }) => state === 'reached')) {
    stopped.push(...(await stopJobs(core, limit)));
  }
  const ended = await sql<{ jobId: string }[]>`
    select job_id from jobs where state = 'failed' and settled_at is null and error_code = 'budget_exceeded'`;
  // At once, since it is the bell after it that ends an instance with nothing left to do.
  for (const { jobId } of ended) await settleJobs(core, { jobId });
  return stopped;
}

/** Pure. A budget of 0 is reached by the first micro-dollar; machines that cost nothing go on. */
export function limitsOf(spent: Spent, config: Config, now: Date): Limit[] {
  const day = now.toISOString().slice(0, 10);
  const month = day.slice(0, 7);
  const all: { key: string; name: string; userId: string | null; spent: number; most: number }[] = [
    {
      key: `budget:day:${day}`,
      name: `on ${day}`,
      userId: null,
      spent: spent.todayMicrodollars,
      most: config.AIMA_MAX_DOLLARS_PER_DAY,
    },
    {
      key: `budget:month:${month}`,
      name: `in ${month}`,
      userId: null,
      spent: spent.monthMicrodollars,
      most: config.AIMA_MAX_DOLLARS_PER_MONTH,
    },
    ...Object.entries(spent.todayByUser).map(([userId, microdollars]) => ({
      key: `budget:user:${userId}:${day}`,
      name: `by user ${userId} on ${day}`,
      userId,
      spent: microdollars,
      most: config.AIMA_MAX_DOLLARS_PER_USER_PER_DAY,
    })),
  ];
  return all
    .filter((one) => one.spent > 0 && one.spent >= warnAt * one.most)
    .map(({ key, name, userId, spent, most }) => ({
      key,
      userId,
      state: spent >= most ? 'reached' : 'near',
      text: `${dollars(spent)} are spent, of ${dollars(most)} that may be spent ${name} (UTC).`,
    }));
}

/** A warning at 80 % and a word at 100 %, each once in its period; what is past is over. */
async function tellLimits({ sql }: Core, limits: readonly Limit[]): Promise<void> {
  for (const { key, state, text } of limits) {
    await raise(sql, { key, severity: 'warning', text });
    if (state === 'reached')
      await raise(sql, {
        key: `${key}:reached`,
        severity: 'critical',
        text: `${text} What it paid for is stopped, and nothing more is rented until that time is over or the limit is raised.`,
      });
  }
  const keys = limits.flatMap(({ key, state }) => (state === 'reached' ? [key, `${key}:reached`] : [key]));
  const past = await sql<{ key: string }[]>`
    select key from alerts where resolved_at is null and key like 'budget:%' and key <> all (${keys})`;
  for (const { key } of past) await resolve(sql, key);
}

/** Running jobs end with what they have; what no worker has begun goes back to the queue and costs nothing. */
async function stopJobs({ sql }: Core, { userId, text }: Limit): Promise<string[]> {
  return sql.begin(async (tx) => {
    const jobs = await tx<{ jobId: string; state: string }[]>`
      select job_id, j.state from jobs j join instances i using (instance_id)
      where j.state in ('assigned', 'running') and i.price_microdollars_per_hour > 0
        and (${userId}::text is null or user_id = ${userId})
      order by job_id for update of j skip locked`;
    for (const { jobId, state } of jobs) {
      if (state === 'running') await tx`select stop_job(${jobId}, ${text})`;
      else await tx`update jobs set state = 'queued', instance_id = null where job_id = ${jobId}`;
    }
    return jobs.filter(({ state }) => state === 'running').map(({ jobId }) => jobId);
  });
}
