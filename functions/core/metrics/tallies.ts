/**
 * Counters that outlive what they count: of settled jobs, ended machines, paid time, and how long each
 * phase took. Triggers append to `tally_log` where it happens (0018_observability.sql); the sweep adds
 * that up, and whoever reads takes both together.
 */
import type { Sql } from '../database.ts';

/** Adds up what was appended. Without anything new it writes nothing. */
export async function foldTallies(sql: Sql): Promise<void> {
  await sql`
    with taken as (delete from tally_log returning name, label, value)
    insert into tallies (name, label, value)
    select name, label, sum(value) from taken group by name, label order by name, label
    on conflict (name, label) do update set value = tallies.value + excluded.value`;
}

export interface Tally {
  name: string;
  label: string;
  value: number;
}

export interface Tallies {
  rows: readonly Tally[];
  /** Upper bounds of the histograms' buckets, in seconds, ascending. */
  boundsSeconds: readonly number[];
}

export async function readTallies(sql: Sql): Promise<Tallies> {
  const [rows, [bounds]] = await Promise.all([
    sql<Tally[]>`select name, label, value from tallied order by name, label`,
    sql<{ seconds: number[] }[]>`select phase_bounds() as seconds`,
  ]);
  return { rows, boundsSeconds: bounds!.seconds };
}
