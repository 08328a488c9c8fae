/**
 * Where a waiting job stands. What cannot be told honestly is null: how long a queue takes depends
 * on what machines there will be, which nobody knows. When its turn comes on a machine that lives is
 * what the planner wrote down last; when a machine that boots will be ready is known from those before.
 */
import type { Core } from '../core.ts';
import { type Waiting as InTurn, inTurn } from '../planner/turns.ts';
import { iso, type JobView } from './shapes.ts';
import type { JobState } from './states.ts';

interface Waiting {
  jobId: string;
  state: JobState;
  priority: number;
  queuedAt: Date | null;
  notBeforeAt: Date | null;
  expectedStartAt: Date | null;
  instanceId: string | null;
}

/** null where the job does not wait for a worker, nor for a person's word before it may. */
export async function queuePlace(core: Pick<Core, 'sql'>, job: Waiting): Promise<JobView['queue']> {
  if (job.state === 'awaiting_confirmation') {
    const reason = await lastReason(core, job.jobId);
    return { position: null, notBeforeAt: null, expectedStartAt: null, reason };
  }
  if (job.state !== 'queued' && job.state !== 'assigned') return null;
  const isQueued = job.state === 'queued';
  const [ahead, reason] = await Promise.all([
    isQueued ? aheadInQueue(core, job.jobId) : aheadOnInstance(core, job),
    lastReason(core, job.jobId),
  ]);
  const now = new Date();
  const later = (at: Date | null) => (at && at > now ? iso(at) : null);
  const isNext = !isQueued && ahead === 0;
  return {
    position: ahead + 1,
    notBeforeAt: later(job.notBeforeAt),
    expectedStartAt: later(isNext ? await expectedReady(core, job.instanceId!) : job.expectedStartAt),
    reason,
  };
}

/** In the planner's own order. */
async function aheadInQueue({ sql }: Pick<Core, 'sql'>, jobId: string): Promise<number> {
  const [jobs, holding] = await Promise.all([
    sql<InTurn[]>`
      select job_id, user_id, priority, extract(epoch from queued_at)::float8 * 1000 as queued_at_ms
      from jobs where state = 'queued'`,
    sql<{ userId: string; jobs: number }[]>`
      select user_id, count(*)::int as jobs from jobs where state in ('assigned', 'running') group by user_id`,
  ]);
  const held = Object.fromEntries(holding.map((row) => [row.userId, row.jobs]));
  return Math.max(
    0,
    inTurn(jobs, held, Date.now()).findIndex((job) => job.jobId === jobId),
  );
}

async function aheadOnInstance(
  { sql }: Pick<Core, 'sql'>,
  { instanceId, priority, queuedAt }: Waiting,
): Promise<number> {
  const [row] = await sql<{ ahead: number }[]>`
    select count(*)::int as ahead from jobs
    where instance_id = ${instanceId} and (state = 'running'
      or (state = 'assigned' and (priority > ${priority} or (priority = ${priority} and queued_at < ${queuedAt}))))`;
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

/** null where it is ready. */
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
  return expected?.readyAt ?? null;
}
