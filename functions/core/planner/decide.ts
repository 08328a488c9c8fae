/**
 * Carries the planner's decisions out. One transaction reads what is, plans and writes the leases
 * and assignments; only after it is committed is anybody asked for a machine.
 *
 * Two of these at once decide one after the other: they queue for the planner's row in `locks`, and
 * a job that the first has assigned is not queued any more for the second. So no two machines are
 * rented for one need; the index instances_one_for_a_need would refuse the second (rent.ts).
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { type Lease, launch } from '../instances/launch.ts';
import { splitLongJobs } from '../jobs/split.ts';
import type { Offer } from '../providers/provider.ts';
import type { Work } from './estimate.ts';
import { type Consideration, considering } from './explain.ts';
import { currentOffers } from './offers.ts';
import type { Place } from './places.ts';
import { type Action, openOffers, plan } from './plan.ts';
import { type Quote, quoteOf } from './quote.ts';
import { ask, assign, drain, keepQuotes, tellWaiting } from './record.ts';
import { freeNeeds, rent } from './rent.ts';
import type { Situation } from './situation.ts';
import { readSituation } from './snapshot.ts';

export interface Decision {
  actions: Action[];
  /** Instances that were told to end. */
  drained: string[];
}

/** A look that met another transaction in a deadlock is made anew. */
const tries = 3;

/** Plans and does it. Returns when every new machine was asked for. */
export async function decide(core: Core): Promise<Decision> {
  if (!(await isSomethingAlive(core))) return { actions: [], drained: [] };
  const offers = (await isSomethingQueued(core)) ? await currentOffers(core) : [];
  const { leases, asked, ...decision } = await retried(() => look(core, offers));
  for (const instanceId of decision.drained) core.publisher.instanceDrained(instanceId);
  for (const job of asked) core.publisher.userJob(job.userId, { ...job, state: 'awaiting_confirmation' });
  await Promise.all(leases.map((lease) => launch(core, lease)));
  return decision;
}

/** What would be decided now, and why nothing else. Writes nothing but the offers that it had to ask for. */
export async function dryRun(core: Core): Promise<{ actions: Action[]; considered: Consideration }> {
  const situation = await onlyRead(core);
  quoteJobs(situation, openOffers(situation));
  const { observe, considered } = considering(situation);
  return { actions: plan(situation, observe), considered };
}

/** What a job would cost that does not exist yet. @returns null where there is no machine for it now. */
export async function quoteNow(
  core: Core,
  work: Work & { deadlineAtMs: number | null },
): Promise<Quote | null> {
  const situation = await onlyRead(core);
  return quoteOf(work, openOffers(situation), situation.policy, situation.nowMs);
}

async function onlyRead(core: Core): Promise<Situation> {
  const offers = await currentOffers(core);
  return core.sql.begin('read only', (tx) => readSituation(core, tx, offers, { isLocking: false }));
}

/** With no job and no machine there is nothing to decide; finding that out writes nothing. */
async function isSomethingAlive({ sql }: Core): Promise<boolean> {
  const [alive] = await sql`
    select from jobs where state in ('queued', 'assigned', 'running')
    union all select from instances where state <> 'terminated' limit 1`;
  return alive !== undefined;
}

async function isSomethingQueued({ sql }: Core): Promise<boolean> {
  const [waiting] = await sql`select from jobs where state = 'queued' limit 1`;
  return waiting !== undefined;
}

async function look(core: Core, offers: Offer[]) {
  const leases: Lease[] = [];
  return core.sql.begin(async (tx) => {
    await tx`select from locks where name = 'planner' for update`;
    await freeNeeds(tx);
    let { situation, open } = await readQuoted(core, tx, offers);
    if (await splitLongJobs(tx, situation, core.config.AIMA_SPLIT_ABOVE_MINUTES * 60_000))
      ({ situation, open } = await readQuoted(core, tx, offers));
    const actions = plan(situation);
    // First: a machine that is drained makes room for another of the same need.
    const drained = await drain(tx, ofType(actions, 'drain'));
    for (const action of ofType(actions, 'rent')) {
      const lease = await rent(core, tx, action, situation.nowMs);
      if (lease) leases.push(lease);
    }
    await assign(core, tx, ofType(actions, 'assign'), situation.nowMs);
    const asked = await ask(tx, ofType(actions, 'ask'), situation, open);
    await tellWaiting(tx, ofType(actions, 'wait'), situation.nowMs);
    return { actions, drained, leases, asked };
  });
}

async function readQuoted(core: Core, tx: Tx, offers: Offer[]) {
  const situation = await readSituation(core, tx, offers, { isLocking: true });
  const open = openOffers(situation);
  await keepQuotes(tx, quoteJobs(situation, open));
  return { situation, open };
}

/** Gives a quote to every job that has none. @returns the new ones by job. */
function quoteJobs({ jobs, policy, nowMs }: Situation, offers: Place[]) {
  return jobs.flatMap((job) => {
    if (job.quote) return [];
    job.quote = quoteOf(job, offers, policy, nowMs);
    return job.quote ? [{ jobId: job.jobId, quote: job.quote }] : [];
  });
}

function ofType<Type extends Action['type']>(actions: Action[], type: Type) {
  return actions.filter((action): action is Extract<Action, { type: Type }> => action.type === type);
}

async function retried<T>(run: () => Promise<T>): Promise<T> {
  for (let left = tries; ; ) {
    try {
      return await run();
    } catch (error) {
      // 40P01: deadlock. Nothing of the look was written.
      if ((error as { code?: string }).code !== '40P01' || --left === 0) throw error;
    }
  }
}
