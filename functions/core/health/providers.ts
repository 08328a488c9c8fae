/** How each provider is doing, as those note it who talk to it (providers/health.ts, instances/reconcile.ts). */
import type { Sql } from '../database.ts';

export interface ProviderNote {
  provider: string;
  /** Only while it is paused. */
  pausedUntilAt: Date | null;
  pauseReason: string | null;
  /** In a row. */
  failures: number;
  /** The last whole and credible list; null: there was none yet. */
  listedAt: Date | null;
  listAgeMs: number | null;
  /** Of ours, as it last showed them. */
  machines: number;
}

/** Those that are configured, whether anything was ever asked there or not, and those where machines of ours are. */
export async function readProviders(sql: Sql, configured: readonly string[]): Promise<ProviderNote[]> {
  return sql<ProviderNote[]>`
    select name as provider, case when paused_until_at > now() then paused_until_at end as paused_until_at,
      case when paused_until_at > now() then pause_reason end as pause_reason, coalesce(failures, 0)::int as failures,
      listed_at, extract(epoch from now() - listed_at)::float8 * 1000 as list_age_ms, coalesce(machines, 0) as machines
    from (select unnest(${[...configured]}::text[]) as name union select provider from providers where machines > 0) known
      left join providers p on p.provider = name
    order by name`;
}
