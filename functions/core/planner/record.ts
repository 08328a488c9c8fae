/**
 * Writes what was decided, each decision with its reason in the log of what it concerns. Many at
 * once go in one statement: a look decides about up to 500 jobs.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { grantAccess } from '../jobs/access.ts';
import type { Place } from './places.ts';
import type { Action } from './plan.ts';
import { type Quote, quoteOf } from './quote.ts';
import type { Situation } from './situation.ts';

type Of<Type extends Action['type']> = Extract<Action, { type: Type }>;

interface Assignment {
  jobId: string;
  instanceId: string;
  startInMs: number;
  because: string;
}

/** Gives jobs to instances, as far as these may still take work: one that is ending by now has given its jobs back already. */
export async function assign(
  core: Core,
  tx: Tx,
  assignments: Assignment[],
  nowMs: number,
  event: 'plan.assign' | 'plan.rent' = 'plan.assign',
): Promise<void> {
  if (assignments.length === 0) return;
  const rows = assignments.map(({ startInMs, ...one }) => ({ ...one, startAt: new Date(nowMs + startInMs) }));
  const given = await tx<{ jobId: string }[]>`
    with living as (
      select instance_id from instances
      where instance_id = any (${[...new Set(assignments.map(({ instanceId }) => instanceId))]})
        and state in ('requested', 'booting', 'ready')
      for no key update
    ), given as (
      update jobs j set state = 'assigned', instance_id = a."instanceId", expected_start_at = a."startAt"
      from living, jsonb_to_recordset(${tx.json(rows as never)})
        as a ("jobId" ulid, "instanceId" ulid, "startAt" timestamptz, because text)
      where a."instanceId" = living.instance_id and j.job_id = a."jobId" and j.state = 'queued'
      returning j.job_id, j.instance_id, a.because
    ), told as (
      insert into events (type, job_id, instance_id, data)
      select ${event}, job_id, instance_id, jsonb_build_object('because', because) from given
    )
    select job_id from given`;
  if (given.length > 0)
    await grantAccess(
      core,
      tx,
      given.map(({ jobId }) => jobId),
    );
}

/** @returns the instances that were told to end. */
export async function drain(tx: Tx, actions: Of<'drain'>[]): Promise<string[]> {
  if (actions.length === 0) return [];
  const drained = await tx<{ instanceId: string }[]>`
    with drained as (
      update instances i set state = 'terminating', reason = 'done'
      from jsonb_to_recordset(${tx.json(actions as never)}) as d ("instanceId" ulid, because text)
      where i.instance_id = d."instanceId" and state in ('requested', 'booting', 'ready')
      returning i.instance_id, d.because
    ), told as (
      insert into events (type, instance_id, data)
      select 'plan.drain', instance_id, jsonb_build_object('because', because) from drained
    )
    select instance_id from drained`;
  return drained.map(({ instanceId }) => instanceId);
}

/** Lets jobs wait for a person's word, with a quote as of now that has in it what they have cost already. @returns them. */
export async function ask(
  tx: Tx,
  actions: Of<'ask'>[],
  { jobs, policy, nowMs }: Situation,
  offers: Place[],
): Promise<{ jobId: string; userId: string; progress: number }[]> {
  if (actions.length === 0) return [];
  const rows = actions.map(({ jobId, because, microdollars }) => {
    const job = jobs.find((one) => one.jobId === jobId)!;
    const quote = quoteOf(job, offers, policy, nowMs) ?? job.quote;
    const maxMicrodollars = Math.max(quote?.maxMicrodollars ?? 0, microdollars);
    return { jobId, because, quote: quote && { ...quote, maxMicrodollars } };
  });
  return tx<{ jobId: string; userId: string; progress: number }[]>`
    with asked as (
      update jobs j set state = 'awaiting_confirmation', quote = a.quote, confirmed_microdollars = null, expected_start_at = null
      from jsonb_to_recordset(${tx.json(rows as never)}) as a ("jobId" ulid, because text, quote jsonb)
      where j.job_id = a."jobId" and j.state = 'queued'
      returning j.job_id, j.user_id, j.progress, a.because
    ), told as (
      insert into events (type, job_id, data)
      select 'plan.ask', job_id, jsonb_build_object('because', because) from asked
    )
    select job_id, user_id, progress from asked`;
}

export async function keepQuotes(tx: Tx, quotes: { jobId: string; quote: Quote }[]): Promise<void> {
  if (quotes.length === 0) return;
  await tx`
    update jobs j set quote = q.quote
    from jsonb_to_recordset(${tx.json(quotes as never)}) as q ("jobId" ulid, quote jsonb)
    where j.job_id = q."jobId"`;
}

/** Times move a little from look to look; writing each of them would be all that a long queue does. */
const sameStartSeconds = 15;

/** A job that waits says so once for each reason, not at every look. */
export async function tellWaiting(tx: Tx, actions: Of<'wait'>[], nowMs: number): Promise<void> {
  if (actions.length === 0) return;
  const rows = actions.map(({ jobId, why, because, startInMs }) => ({
    jobId,
    data: { why, because },
    startAt: startInMs === null ? null : new Date(nowMs + startInMs),
  }));
  const waiting = tx`jsonb_to_recordset(${tx.json(rows as never)}) as w ("jobId" ulid, data jsonb, "startAt" timestamptz)`;
  await tx`
    update jobs j set expected_start_at = w."startAt" from ${waiting}
    where j.job_id = w."jobId" and j.expected_start_at is distinct from w."startAt"
      and coalesce(abs(extract(epoch from j.expected_start_at - w."startAt")) > ${sameStartSeconds}, true)`;
  await tx`
    insert into events (type, job_id, data)
    select 'plan.wait', w."jobId", w.data from ${waiting}
    where not exists (
      select from (select type, data from events e where e.job_id = w."jobId" order by event_id desc limit 1) last
      where last.type = 'plan.wait' and last.data ->> 'why' = w.data ->> 'why')`;
}
