/**
 * Where a waiting job stands. What cannot be told honestly is null: how long a queue takes depends
 * on what machines there will be, which nobody knows; when a machine that boots will be ready is
 * known from those before it.
 */
import type { Core } from '../core.ts';
import { iso, type JobView } from './shapes.ts';
import type { JobState } from './states.ts';

interface Waiting {
  jobId: string;
  state: JobState;
  priority: number;
  queuedAt: Date | null;
  notBeforeAt: Date | null;
  instanceId: string | null;
}

/** null where the job does not wait for a worker. */
export async function queuePlace(core: Pick<Core, 'sql'>, job: Waiting): Promise<JobView['queue']> {
  if (job.state !== 'queued' && job.state !== 'assigned') return null;
  const [ahead, reason] = await Promise.all([jobsAhead(core, job), lastReason(core, job.jobId)]);
  const isNext = job.state === 'assigned' && ahead === 0;
  return {
    position: ahead + 1,
    notBeforeAt: job.notBeforeAt && job.notBeforeAt > new Date() ? iso(job.notBeforeAt) : null,
    expectedStartAt: isNext ? iso(await expectedReady(core, job.instanceId!)) : null,
    reason,
  };
}

async function jobsAhead({ sql }: Pick<Core, 'sql'>, job: Waiting): Promise<number> {
  const { instanceId, priority, queuedAt } = job;
  const sooner = sql`(priority > ${priority} or (priority = ${priority} and queued_at < ${queuedAt}))`;
  const [row] =
    instanceId === null
      ? await sql<{ ahead: number }[]>`
          select count(*)::int as ahead from jobs where state = 'queued' and ${sooner}`
      : await sql<{ ahead: number }[]>`
          select count(*)::int as ahead from jobs
          where instance_id = ${instanceId} and (state = 'running' or (state = 'assigned' and ${sooner}))`;
  return row!.ahead;
}

/** Since it was queued last: what was said before an attempt that failed holds no more. */
async function lastReason({ sql }: Pick<Core, 'sql'>, jobId: string): Promise<string | null> {
  const [event] = await sql<{ because: string | null }[]>`
    select data ->> 'because' as because from events
    where job_id = ${jobId} and type like 'plan.%' and event_id > coalesce(
      (select max(event_id) from events where job_id = ${jobId} and type = 'job.queued'), 0)
    order by event_id desc limit 1`;
  return event?.because ?? null;
}

/** null where it is ready, or later than it should be. */
async function expectedReady({ sql }: Pick<Core, 'sql'>, instanceId: string): Promise<Date | null> {
  const [expected] = await sql<{ readyAt: Date }[]>`
    select requested_at + make_interval(secs => boot_ms / 1000) as ready_at
    from instances i, lateral (
      select coalesce(
        (select percentile_cont(0.5) within group (order by extract(epoch from ready_at - requested_at) * 1000)
         from (select ready_at, requested_at from instances
               where state = 'terminated' and provider = i.provider and ready_at is not null
               order by terminated_at desc limit 50) recent),
        (i.offer ->> 'bootMs')::float8) as boot_ms) boot
    where instance_id = ${instanceId} and state in ('requested', 'in_doubt', 'booting')`;
  return expected?.readyAt && expected.readyAt > new Date() ? expected.readyAt : null;
}
