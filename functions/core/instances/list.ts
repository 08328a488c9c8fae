/** Instances as people may see them. */
import type { Core } from '../core.ts';

export interface InstanceView {
  instanceId: string;
  provider: string;
  state: string;
  reason: string | null;
  gpu: string | null;
  priceMicrodollarsPerHour: number;
  costMicrodollars: number;
  jobIds: string[];
  requestedAt: Date;
  readyAt: Date | null;
  heartbeatAt: Date | null;
  deadlineAt: Date;
  terminatedAt: Date | null;
}

/** All that are alive and the last that ended, newest first. */
export async function listInstances(core: Core, ended = 20): Promise<InstanceView[]> {
  return core.sql<InstanceView[]>`
    select instance_id, provider, state, reason, offer ->> 'gpu' as gpu, price_microdollars_per_hour,
      case when state = 'terminated' then cost_microdollars
        else (price_microdollars_per_hour * extract(epoch from now() - requested_at) / 3600)::bigint end as cost_microdollars,
      array(select job_id from jobs where jobs.instance_id = instances.instance_id) as job_ids,
      requested_at, ready_at, heartbeat_at, deadline_at, terminated_at
    from instances
    where state <> 'terminated' or instance_id in (
      select instance_id from instances where state = 'terminated' order by terminated_at desc limit ${ended})
    order by instance_id desc`;
}
