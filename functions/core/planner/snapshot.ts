/** Reads the situation that the planner decides from, in one transaction. */
import type { Config } from '../config.ts';
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { readSpent } from '../ledger/spent.ts';
import type { Offer } from '../providers/provider.ts';
import { readLearned } from './history.ts';
import { isHeld } from './hold.ts';
import { nothingLearned } from './learned.ts';
import {
  type Barred,
  barredKey,
  type HeldJob,
  type LiveInstance,
  type Policy,
  type QueuedJob,
  type Situation,
} from './situation.ts';
import { agingStepMs } from './turns.ts';

/** One look decides about at most so many jobs, the first of every user before the second of any. */
const jobsPerLook = 500;

/** What an offer of an older version, or of a test, does not say. */
const plainOffer: Offer = {
  provider: '',
  offerId: '',
  host: null,
  gpu: null,
  vramMb: 0,
  cuda: null,
  region: null,
  reliability: null,
  interruptible: false,
  priceMicrodollarsPerHour: 0,
  trafficMicrodollarsPerGb: { in: 0, out: 0 },
  downloadMbps: null,
  billedFrom: 'request',
  available: 0,
  bootMs: 0,
  speed: 1,
};

/** @param options.isLocking the jobs are locked until the transaction ends; those that somebody else holds are left out. */
export async function readSituation(
  core: Core,
  tx: Tx,
  offers: Offer[],
  options: { isLocking: boolean },
): Promise<Situation> {
  // Sent together: they wait for each other on the server only.
  const [jobs, instances, held, barred] = await Promise.all([
    readQueue(tx, options.isLocking),
    readInstances(tx),
    isHeld(tx),
    readBarred(tx),
  ]);
  const needsMoney = jobs.length > 0 || offers.length > 0;
  const [spent, learned] = needsMoney
    ? await Promise.all([readSpent(tx), readLearned(tx)])
    : [{ todayMicrodollars: 0, monthMicrodollars: 0, todayByUser: {} }, nothingLearned];
  const policy = policyOf(core.config);
  return {
    nowMs: Date.now(),
    offers: offers.map((offer) => withinCapacity(offer, instances)),
    ...{ held, jobs, instances, policy, barred, spent, learned },
  };
}

/**
 * Offers were asked for before this look had the queue to itself: a lease that another look has written
 * meanwhile may have no process yet that would have been counted.
 */
function withinCapacity(offer: Offer, instances: LiveInstance[]): Offer {
  if (offer.capacity === undefined) return offer;
  const held = instances.filter(
    ({ state, offer: { provider, offerId } }) =>
      state !== 'terminating' && provider === offer.provider && offerId === offer.offerId,
  );
  return { ...offer, available: Math.max(0, Math.min(offer.available, offer.capacity - held.length)) };
}

export function policyOf(config: Config): Policy {
  return {
    maxPriceMicrodollarsPerHour: config.AIMA_MAX_DOLLARS_PER_HOUR,
    maxTotalMicrodollarsPerHour: config.AIMA_MAX_TOTAL_DOLLARS_PER_HOUR,
    maxInstances: config.AIMA_MAX_INSTANCES,
    maxLeaseMs: config.AIMA_MAX_LEASE_MINUTES * 60_000,
    dayMicrodollars: config.AIMA_MAX_DOLLARS_PER_DAY,
    monthMicrodollars: config.AIMA_MAX_DOLLARS_PER_MONTH,
    userDayMicrodollars: config.AIMA_MAX_DOLLARS_PER_USER_PER_DAY,
    waitMicrodollarsPerHour: config.AIMA_WAIT_DOLLARS_PER_HOUR,
    confirmAboveMicrodollars: config.AIMA_CONFIRM_ABOVE_DOLLARS,
    providers: config.AIMA_PROVIDERS,
    regions: config.AIMA_REGIONS,
    interruptible: config.AIMA_INTERRUPTIBLE,
    minVramMb: config.AIMA_MIN_VRAM_MB,
    minCuda: config.AIMA_MIN_CUDA,
    minReliability: config.AIMA_MIN_RELIABILITY,
  };
}

async function readQueue(tx: Tx, isLocking: boolean): Promise<QueuedJob[]> {
  return tx<QueuedJob[]>`
    select job_id, jobs.user_id, priority, analyses_left(jobs) as analyses, kind, coalesce(piece_to_ms - piece_from_ms, duration_ms) as duration_ms, size_bytes, max_cost_microdollars,
      confirmed_microdollars, quote,
      extract(epoch from queued_at)::float8 * 1000 as queued_at_ms,
      extract(epoch from deadline_at)::float8 * 1000 as deadline_at_ms,
      case when attempt > 0 or failed_starts > 0 or exists (select from charges c where c.job_id = jobs.job_id)
        then job_cost(job_id) else 0 end as spent_microdollars,
      exists (select from instances i where i.rented_for = job_id and i.state = 'in_doubt') as is_in_doubt,
      (select count(distinct e.instance_id)::int from events e join instances i using (instance_id)
       where e.job_id = jobs.job_id and e.type = 'job.assigned' and i.reason = 'preempted') as preemptions
    from jobs join media using (media_id)
    where state = 'queued' and job_id in (
      select job_id from (
        select job_id, row_number() over (partition by user_id order by
          priority + floor(extract(epoch from now() - queued_at) * 1000 / ${agingStepMs}) desc, queued_at) as turn
        from jobs where state = 'queued' and (not_before_at is null or not_before_at <= now())
      ) waiting order by turn limit ${jobsPerLook})
    ${isLocking ? tx`for update of jobs skip locked` : tx``}`;
}

async function readInstances(tx: Tx): Promise<LiveInstance[]> {
  const rows = await tx<
    (Omit<LiveInstance, 'offer' | 'jobs'> & {
      provider: string;
      offer: Partial<Offer>;
      jobs: HeldJob[] | null;
    })[]
  >`
    select instance_id, provider, state, price_microdollars_per_hour, offer,
      extract(epoch from requested_at)::float8 * 1000 as requested_at_ms,
      extract(epoch from deadline_at)::float8 * 1000 as deadline_at_ms,
      (select jsonb_agg(jsonb_build_object('userId', j.user_id, 'analyses', analyses_left(j), 'kind', kind,
         'durationMs', coalesce(piece_to_ms - piece_from_ms, duration_ms),
         'sizeBytes', size_bytes, 'progress', progress))
       from jobs j join media using (media_id)
       where j.instance_id = instances.instance_id and j.state in ('assigned', 'running')) as jobs
    from instances where state <> 'terminated'`;
  return rows.map(({ provider, offer, jobs, ...row }) => ({
    ...row,
    offer: { ...plainOffer, ...offer, provider },
    jobs: jobs ?? [],
  }));
}

async function readBarred(tx: Tx): Promise<Barred> {
  const [paused, avoided] = await Promise.all([
    tx<{ provider: string; pauseReason: string | null }[]>`
      select provider, pause_reason from providers where paused_until_at > now()`,
    tx<{ provider: string; kind: 'offer' | 'host'; key: string; reason: string }[]>`
      select provider, kind, key, reason from avoided where until_at > now()`,
  ]);
  const providers = Object.fromEntries(
    paused.map((row) => [row.provider, `paused, ${row.pauseReason ?? 'for no reason given'}`]),
  );
  return {
    providers,
    offersAndHosts: Object.fromEntries(
      avoided.map(({ provider, kind, key, reason }) => [
        barredKey(provider, kind, key),
        `this ${kind} went wrong not long ago: ${reason}`,
      ]),
    ),
  };
}
