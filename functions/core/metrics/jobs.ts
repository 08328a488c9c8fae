/** Jobs: how many wait and run, since when, and what became of the others. */
import type { Sql } from '../database.ts';
import type { Metric } from './exposition.ts';

/** Each count goes by the partial index of its state: finished jobs are not looked at. */
export async function jobMetrics(sql: Sql): Promise<Metric[]> {
  const [states, [ages]] = await Promise.all([
    sql<{ state: string; count: number }[]>`
      select 'awaiting_upload' as state, count(*)::int as count from jobs where state = 'awaiting_upload'
      union all select 'awaiting_confirmation', count(*)::int from jobs where state = 'awaiting_confirmation'
      union all select 'queued', count(*)::int from jobs where state = 'queued'
      union all select 'assigned', count(*)::int from jobs where state = 'assigned'
      union all select 'running', count(*)::int from jobs where state = 'running'
      union all select 'split', count(*)::int from jobs where state = 'split'
      union all select 'unsettled', count(*)::int from jobs
        where settled_at is null and state in ('succeeded', 'failed', 'canceled', 'expired')`,
    sql<{ queueSeconds: number; uploadSeconds: number }[]>`
      select
        coalesce((select extract(epoch from now() - min(queued_at))::float8 from jobs where state = 'queued'), 0) as queue_seconds,
        coalesce((select extract(epoch from now() - min(created_at))::float8 from jobs where state = 'awaiting_upload'), 0) as upload_seconds`,
  ]);
  return [
    {
      name: 'aima_jobs',
      type: 'gauge',
      help: 'Jobs that are not over, by state; unsettled: over, and what follows from it is still to be done.',
      samples: states.map(({ state, count }) => ({ labels: { state }, value: count })),
    },
    {
      name: 'aima_queue_age_seconds',
      type: 'gauge',
      help: 'How long the oldest queued job has been waiting; 0 where none is queued.',
      samples: [{ value: ages!.queueSeconds }],
    },
    {
      name: 'aima_upload_age_seconds',
      type: 'gauge',
      help: 'How long the oldest upload that is not finished has been awaited; 0 where none is.',
      samples: [{ value: ages!.uploadSeconds }],
    },
  ];
}
