/** Instances as people may see them. */
import { z } from 'zod';
import type { Core } from '../core.ts';
import { iso } from '../jobs/shapes.ts';

const at = z.iso.datetime();

export const InstanceView = z
  .object({
    instanceId: z.string(),
    label: z.string().meta({ description: 'Its name at the provider' }),
    provider: z.string(),
    state: z.string(),
    reason: z.string().nullable(),
    gpu: z.string().nullable(),
    host: z.string().nullable(),
    region: z.string().nullable(),
    interruptible: z.boolean().nullable(),
    priceMicrodollarsPerHour: z.int(),
    costMicrodollars: z.int().meta({ description: 'Until it is proven gone: so far' }),
    billedMicrodollars: z.int().nullable().meta({ description: 'What the provider says' }),
    jobIds: z.array(z.string()),
    requestedAt: at,
    createdAt: at.nullable(),
    startedAt: at.nullable().meta({ description: 'The worker program began: its image is pulled' }),
    readyAt: at.nullable(),
    heartbeatAt: at.nullable(),
    deadlineAt: at,
    terminateTries: z.int(),
    terminatedAt: at.nullable(),
  })
  .meta({ id: 'Instance' });

export type InstanceView = z.infer<typeof InstanceView>;

/** Times come from the database as dates. */
type Row = {
  [K in keyof InstanceView]: K extends 'requestedAt' | 'deadlineAt'
    ? Date
    : K extends `${string}At`
      ? Date | null
      : InstanceView[K];
};

/** All that are alive and the last that ended, newest first. */
export async function listInstances(core: Core, ended = 20): Promise<InstanceView[]> {
  const rows = await core.sql<Row[]>`
    select instance_id, label, provider, state, reason, offer ->> 'gpu' as gpu, host, offer ->> 'region' as region,
      (offer ->> 'interruptible')::boolean as interruptible, price_microdollars_per_hour,
      case when state = 'terminated' then cost_microdollars else cost_since(instances, requested_at) end as cost_microdollars,
      billed_microdollars,
      array(select job_id from jobs j where j.instance_id = instances.instance_id and j.state in ('assigned', 'running')) as job_ids,
      requested_at, created_at, started_at, ready_at, heartbeat_at, deadline_at, terminate_tries, terminated_at
    from instances
    where state <> 'terminated' or instance_id in (
      select instance_id from instances where state = 'terminated' order by terminated_at desc limit ${ended})
    order by instance_id desc`;
  return rows.map((row) => ({
    ...row,
    requestedAt: iso(row.requestedAt),
    createdAt: iso(row.createdAt),
    startedAt: iso(row.startedAt),
    readyAt: iso(row.readyAt),
    heartbeatAt: iso(row.heartbeatAt),
    deadlineAt: iso(row.deadlineAt),
    terminatedAt: iso(row.terminatedAt),
  }));
}
