/**
 * When each sweep last went through, and which of its steps failed: one row each, for those who watch.
 * Nothing else depends on it. An idle server should write next to nothing, so it is noted every two
 * minutes and when what fails changes, although a sweep runs every half minute.
 */
import type { Sql } from '../database.ts';

/** `jobs`: what orchestrate does on its schedule. `leases`: what terminate does. */
export const sweepNames = ['jobs', 'leases'] as const;
export type SweepName = (typeof sweepNames)[number];

/** Less than two minutes, so that the fourth sweep after a note makes the next one. */
const notedEverySeconds = 110;

/** The next note was due two minutes after the last; a sweep may take a minute. */
export const lateAfterMs = 5 * 60_000;

/** A step may fail for a while without anybody having to do something: a service that starts anew, a busy provider. */
export const failingAfterMs = 5 * 60_000;

export interface SweepNote {
  name: SweepName;
  finishedAt: Date;
  /** Steps that failed in the last sweep. */
  failing: string[];
  /** Since when some failed. */
  failingSinceAt: Date | null;
  /** By Postgres' clock. */
  lagMs: number;
  failingMs: number | null;
}

/** A sweep went through. @param failing the steps that failed, in any order. */
export async function noteSweep(sql: Sql, name: SweepName, failing: readonly string[]): Promise<void> {
  const steps = failing.toSorted();
  await sql`
    update sweeps set finished_at = clock_timestamp(), failing = ${steps},
      failing_since_at = case when cardinality(${steps}::text[]) > 0 then coalesce(failing_since_at, clock_timestamp()) end
    where name = ${name} and (failing <> ${steps} or finished_at < now() - make_interval(secs => ${notedEverySeconds}))`;
}

export async function readSweeps(sql: Sql): Promise<SweepNote[]> {
  return sql<SweepNote[]>`
    select name, finished_at, failing, failing_since_at,
      extract(epoch from clock_timestamp() - finished_at)::float8 * 1000 as lag_ms,
      extract(epoch from clock_timestamp() - failing_since_at)::float8 * 1000 as failing_ms
    from sweeps order by name`;
}

/** What each sweep is for, and who runs it, for the sentences that tell of it. */
export const sweepWords: Record<SweepName, { program: string; risk: string }> = {
  jobs: { program: 'orchestrate', risk: 'queued jobs wait and uploads are not found' },
  leases: { program: 'terminate', risk: 'machines are not watched and not ended, and money may run' },
};
