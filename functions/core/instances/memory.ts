/**
 * What is remembered of offers and hosts that went wrong, so that the next look does not choose them
 * again. Each time longer; forgotten after a while without trouble. The planner leaves out what is
 * avoided now (planner/).
 */
import type { Sql, Tx } from '../database.ts';
import type { Refusal } from '../providers/provider.ts';

const minute = 60;
const hour = 60 * minute;

/** After so long without trouble an offer or host begins anew. */
const forgivenAfterSeconds = 24 * hour;
const longestSeconds = 24 * hour;

interface Lesson {
  kind: 'offer' | 'host';
  seconds: number;
}

/** Pure: what a refused create teaches. The others say something of the account, not of the offer. */
export function lessonOfRefusal(why: Refusal): Lesson | null {
  if (why === 'no_capacity') return { kind: 'offer', seconds: 3 * minute };
  // Ids of taken offers do not come back, but one that was wrongly called gone may be asked again.
  if (why === 'offer_gone') return { kind: 'offer', seconds: 10 * minute };
  if (why === 'invalid') return { kind: 'offer', seconds: hour };
  return null;
}

/** Reasons of an end that the machine or its host is to blame for, and for how long it is left alone. */
const hostFaults: Record<string, number> = {
  pull_timeout: 2 * hour,
  load_timeout: hour,
  crash_loop: hour,
  start_failed: hour,
  unfit: 6 * hour,
  lost_contact: hour,
  vanished: 30 * minute,
  preempted: 30 * minute,
  dearer: 6 * hour,
  broken: 30 * minute,
};

/** A machine of one's own has no other in its place, and trying it again costs nothing. */
const longestOfFreeSeconds = 10 * minute;

/** Pure: what an end teaches, of the offer and, where it has one, of its host. */
export function lessonsOfEnd(reason: string, isFree: boolean): Lesson[] {
  // Perhaps nobody was asked at all: a crash of ours is no fault of the host.
  if (reason === 'never_appeared') return [{ kind: 'offer', seconds: 3 * minute }];
  const fault = hostFaults[reason];
  if (fault === undefined) return [];
  const seconds = isFree ? Math.min(fault, longestOfFreeSeconds) : fault;
  return [
    { kind: 'host', seconds },
    { kind: 'offer', seconds: Math.min(seconds, 15 * minute) },
  ];
}

/** Remembers, longer each time: doubled, at most a day. */
export async function avoid(
  sql: Sql | Tx,
  { provider, key, reason, kind, seconds }: Lesson & { provider: string; key: string; reason: string },
): Promise<void> {
  await sql`
    insert into avoided (provider, kind, key, reason, until_at)
    values (${provider}, ${kind}, ${key}, ${reason}, now() + make_interval(secs => ${seconds}))
    on conflict (provider, kind, key) do update set
      reason = excluded.reason,
      times = case when avoided.until_at < now() - make_interval(secs => ${forgivenAfterSeconds}) then 1
        else least(avoided.times + 1, 12) end,
      until_at = now() + make_interval(secs => least(${longestSeconds}::float8, ${seconds}::float8 * case
        when avoided.until_at < now() - make_interval(secs => ${forgivenAfterSeconds}) then 1
        else 2 ^ least(avoided.times, 11) end))`;
}
