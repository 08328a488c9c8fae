/**
 * Carries the planner's decisions out. One transaction reads what is, plans and writes the leases
 * and assignments; only after it is committed is anybody asked for a machine.
 *
 * Two of these at once decide one after the other: they queue for the planner's row in `locks`, and
 * a job that the first has assigned is not queued any more for the second. So no two machines are
 * rented for one need.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { newId } from '../ids.ts';
import { labelOf } from '../instances/label.ts';
import { type Lease, launch } from '../instances/launch.ts';
import { grantAccess } from '../jobs/access.ts';
import type { Offer } from '../providers/provider.ts';
import { type Measured, priorWorkMs } from './estimate.ts';
import { isHeld } from './hold.ts';
import { type Action, type LiveInstance, type Policy, plan, type QueuedJob } from './plan.ts';

export interface Decision {
  actions: Action[];
  /** Instances that were told to end. */
  drained: string[];
}

/** One look at the queue decides about at most so many jobs; the next look follows at once. */
const jobsPerLook = 500;

/**
 * Plans and does it. Returns when every new machine was asked for.
 * @param options.dryRun only tells what would be done.
 */
export async function decide(core: Core, options: { dryRun?: boolean } = {}): Promise<Decision> {
  const offers = await currentOffers(core);
  const leases: Lease[] = [];
  const decision = await core.sql.begin(async (tx): Promise<Decision> => {
    await tx`select from locks where name = 'planner' for update`;
    const actions = plan(await snapshot(core, tx, offers));
    if (options.dryRun) return { actions, drained: [] };
    const drained: string[] = [];
    for (const action of actions) {
      if (action.type === 'rent') leases.push(await writeLease(core, tx, action));
      else if (action.type === 'assign') await assign(core, tx, action.instanceId, [action.jobId]);
      else if (action.type === 'drain') {
        await tx`update instances set state = 'terminating', reason = 'done' where instance_id = ${action.instanceId}`;
        drained.push(action.instanceId);
      }
      await record(tx, action, leases.at(-1)?.instanceId);
    }
    return { actions, drained };
  });
  for (const instanceId of decision.drained) core.publisher.instanceDrained(instanceId);
  await Promise.all(leases.map((lease) => launch(core, lease)));
  return decision;
}

/** A provider that cannot answer offers nothing; the others are asked all the same. */
async function currentOffers(core: Core): Promise<Offer[]> {
  const [waiting] = await core.sql`select from jobs where state = 'queued' limit 1`;
  if (!waiting) return [];
  const answers = await Promise.all(
    [...core.providers.values()].map((provider) =>
      provider.offers().catch((error: unknown) => {
        console.error(`${provider.name} makes no offers now:`, error);
        return [];
      }),
    ),
  );
  return answers.flat();
}

async function snapshot(core: Core, tx: Tx, offers: Offer[]) {
  const nowMs = Date.now();
  const jobs = await tx<QueuedJob[]>`
    select job_id, priority, analyses, kind, duration_ms, max_cost_microdollars,
      extract(epoch from queued_at)::float8 * 1000 as queued_at_ms
    from jobs join media using (media_id)
    where state = 'queued' and (not_before_at is null or not_before_at <= now())
    order by priority desc, queued_at limit ${jobsPerLook}
    for update of jobs skip locked`;
  const rows = await tx<
    (Omit<LiveInstance, 'jobs' | 'bootMs' | 'speed'> & { offer: Offer; jobs: LiveInstance['jobs'] | null })[]
  >`
    select instance_id, provider, state, price_microdollars_per_hour, offer,
      extract(epoch from requested_at)::float8 * 1000 as requested_at_ms,
      extract(epoch from deadline_at)::float8 * 1000 as deadline_at_ms,
      (select jsonb_agg(jsonb_build_object('analyses', analyses, 'kind', kind, 'durationMs', duration_ms))
       from jobs join media using (media_id) where jobs.instance_id = instances.instance_id) as jobs
    from instances where state <> 'terminated'`;
  const measured = jobs.length > 0 ? await measure(tx) : {};
  const instances = rows.map(({ offer, jobs: held, ...row }) => ({
    ...row,
    jobs: held ?? [],
    speed: offer.speed,
    bootMs: measured[row.provider]?.bootMs ?? offer.bootMs,
  }));
  return { nowMs, held: await isHeld(tx), jobs, instances, offers, policy: await policy(core, tx), measured };
}

async function policy(core: Core, tx: Tx): Promise<Policy> {
  const { config } = core;
  const [spent] = await tx<{ microdollars: number }[]>`
    select coalesce(sum(case when state = 'terminated' then cost_microdollars
      else price_microdollars_per_hour * extract(epoch from now() - requested_at) / 3600 end), 0)::bigint as microdollars
    from instances where state <> 'terminated' or terminated_at >= date_trunc('month', now())`;
  return {
    maxInstances: config.AIMA_MAX_INSTANCES,
    maxPriceMicrodollarsPerHour: config.AIMA_MAX_DOLLARS_PER_HOUR,
    budgetMicrodollars: config.AIMA_MAX_DOLLARS_PER_MONTH - spent!.microdollars,
    waitMicrodollarsPerHour: config.AIMA_WAIT_DOLLARS_PER_HOUR,
    maxLeaseMs: config.AIMA_MAX_LEASE_MINUTES * 60_000,
  };
}

/** Medians of the last runs, per provider. */
async function measure(tx: Tx): Promise<Record<string, Measured>> {
  const boots = await tx<{ provider: string; bootMs: number }[]>`
    select provider, (percentile_cont(0.5) within group (order by extract(epoch from ready_at - requested_at) * 1000))::float8 as boot_ms
    from (select provider, ready_at, requested_at from instances
          where state = 'terminated' and ready_at is not null order by terminated_at desc limit 50) recent
    group by provider`;
  const runs = await tx<
    {
      provider: string;
      speed: number;
      tookMs: number;
      analyses: string[];
      kind: string | null;
      durationMs: number | null;
    }[]
  >`
    select i.provider, coalesce((i.offer ->> 'speed')::float8, 1) as speed, j.analyses, m.kind, m.duration_ms,
      extract(epoch from a.ended_at - a.started_at)::float8 * 1000 as took_ms
    from (select * from jobs where state = 'succeeded' order by job_id desc limit 50) j
    join attempts a on a.job_id = j.job_id and a.attempt = j.attempt
    join instances i on i.instance_id = a.instance_id
    join media m on m.media_id = j.media_id`;
  const factors = Map.groupBy(runs, (run) => run.provider);
  return Object.fromEntries(
    [...new Set([...boots.map((row) => row.provider), ...factors.keys()])].map((provider) => {
      const boot = boots.find((row) => row.provider === provider)?.bootMs;
      const runsHere = (factors.get(provider) ?? []).map(
        (run) => (run.tookMs * run.speed) / priorWorkMs(run),
      );
      return [
        provider,
        {
          ...(boot === undefined ? {} : { bootMs: boot }),
          ...(runsHere.length === 0 ? {} : { workFactor: median(runsHere) }),
        },
      ];
    }),
  );
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

async function writeLease(core: Core, tx: Tx, action: Extract<Action, { type: 'rent' }>): Promise<Lease> {
  const instanceId = newId();
  const { offer } = action;
  const lease: Lease = {
    instanceId,
    provider: offer.provider,
    label: labelOf(core.config.secret('owner-id'), instanceId),
    offer,
    deadlineAt: new Date(Date.now() + core.config.AIMA_MAX_LEASE_MINUTES * 60_000),
  };
  await tx`
    insert into instances (instance_id, label, provider, state, offer, price_microdollars_per_hour, deadline_at)
    values (${instanceId}, ${lease.label}, ${offer.provider}, 'requested', ${tx.json({ ...offer })},
            ${offer.priceMicrodollarsPerHour}, ${lease.deadlineAt})`;
  await assign(core, tx, instanceId, action.jobIds);
  return lease;
}

async function assign(core: Core, tx: Tx, instanceId: string, jobIds: string[]): Promise<void> {
  await grantAccess(core, tx, jobIds);
  await tx`
    update jobs set state = 'assigned', instance_id = ${instanceId}
    where job_id in ${tx(jobIds)} and state = 'queued'`;
}

/** Decisions stand in the log of what they concern. A job that waits says so once, not at every look. */
async function record(tx: Tx, action: Action, rented: string | undefined): Promise<void> {
  const data = tx.json({ because: action.because });
  if (action.type === 'rent') {
    await tx`insert into events (type, job_id, instance_id, data)
             select 'plan.rent', job_id, ${rented!}, ${data} from unnest(${action.jobIds}::text[]) as job_id`;
  } else if (action.type === 'assign') {
    await tx`insert into events (type, job_id, instance_id, data) values ('plan.assign', ${action.jobId}, ${action.instanceId}, ${data})`;
  } else if (action.type === 'drain') {
    await tx`insert into events (type, instance_id, data) values ('plan.drain', ${action.instanceId}, ${data})`;
  } else {
    await tx`
      insert into events (type, job_id, data)
      select 'plan.wait', ${action.jobId}, ${data}
      where not exists (
        select from (select type, data from events where job_id = ${action.jobId} order by event_id desc limit 1) last
        where last.type = 'plan.wait' and last.data = ${data})`;
  }
}
