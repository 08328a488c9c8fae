/**
 * Compares the ledger with what the providers say that they billed, about once an hour. A
 * difference means that something runs which we do not see, or that we reckon wrongly: a human
 * is told, once for each instance.
 *
 * Taking the hour is the intent; a crash after it leaves the comparison to the next hour, which
 * looks at the same instances again.
 */

import { raise, resolve } from '../alerts/alerts.ts';
import type { Core } from '../core.ts';
import { log } from '../log.ts';
import { dollars } from '../money.ts';
import type { Provider } from '../providers/provider.ts';

const setting = 'billing-compared-at';

/** What ended longer ago is not looked at again; providers book within hours. */
const lookBack = '3 days';

/** Bills come late, by the hour at RunPod: what is missing before counts as not yet written. */
const billedLateMs = 3 * 3_600_000;

/** A difference of more than both is told. */
const mostShare = 0.1;
const mostMicrodollars = 10_000;

/** @returns the providers that were compared now; none where it is not due. */
export async function compareBilling(core: Core): Promise<string[]> {
  const [early] = await core.sql`
    select from settings where name = ${setting} and (value #>> '{}')::timestamptz >= now() - interval '1 hour'`;
  if (early) return [];
  // In one statement, so that of two of us only one does it.
  const [due] = await core.sql`
    insert into settings (name, value) values (${setting}, to_jsonb(now()))
    on conflict (name) do update set value = excluded.value
      where (settings.value #>> '{}')::timestamptz < now() - interval '1 hour'
    returning name`;
  if (!due) return [];
  const compared: string[] = [];
  for (const provider of core.providers.values()) {
    try {
      await compare(core, provider);
      compared.push(provider.name);
    } catch (error) {
      log.error('a provider does not tell what it billed', { provider: provider.name, error });
    }
  }
  return compared;
}

interface Compared {
  instanceId: string;
  label: string;
  costMicrodollars: number;
  billedMicrodollars: number;
  /** Null: it lives. */
  goneForMs: number | null;
}

async function compare(core: Core, provider: Provider): Promise<void> {
  const [first] = await core.sql<{ requestedAt: Date | null }[]>`
    select min(requested_at) as requested_at from instances
    where provider = ${provider.name} and provider_instance_id is not null
      and (state <> 'terminated' or state = 'terminated' and terminated_at > now() - ${lookBack}::interval)`;
  if (!first?.requestedAt) return;
  const costs = await provider.costs(first.requestedAt);
  // The outcome. What the provider tells of others' machines finds no row.
  const rows = await core.sql<Compared[]>`
    update instances i set billed_microdollars = c.microdollars, billed_at = clock_timestamp()
    from unnest(${costs.map(({ providerInstanceId }) => providerInstanceId)}::text[],
      ${costs.map(({ microdollars }) => Math.round(microdollars))}::bigint[]) as c (id, microdollars)
    where provider = ${provider.name} and provider_instance_id = c.id and requested_at >= ${first.requestedAt}
    returning instance_id, label, c.microdollars as billed_microdollars,
      case when state = 'terminated' then cost_microdollars else cost_since(i, requested_at) end as cost_microdollars,
      case when state = 'terminated' then extract(epoch from now() - gone_at)::float8 * 1000 end as gone_for_ms`;
  for (const row of rows) await judge(core, provider, row);
}

async function judge(core: Core, provider: Provider, row: Compared): Promise<void> {
  const key = `instance:${row.instanceId}:billing`;
  if (!differs(row)) return resolve(core.sql, key);
  const [told] = await core.sql`select from alerts where key = ${key} limit 1`;
  if (told) return;
  await raise(core.sql, {
    key,
    severity: 'warning',
    text: `${provider.name} billed ${dollars(row.billedMicrodollars)} for ${row.label}, and the ledger says ${dollars(row.costMicrodollars)}. Compare it with the provider's own page.`,
    data: {
      provider: provider.name,
      instanceId: row.instanceId,
      billedMicrodollars: row.billedMicrodollars,
      costMicrodollars: row.costMicrodollars,
    },
  });
}

/** Pure: whether a human should look. Too little is only odd once the bill should be complete. */
export function differs({
  costMicrodollars,
  billedMicrodollars,
  goneForMs,
}: Omit<Compared, 'instanceId' | 'label'>): boolean {
  const difference = billedMicrodollars - costMicrodollars;
  const isBig =
    Math.abs(difference) > mostMicrodollars && Math.abs(difference) > mostShare * costMicrodollars;
  return isBig && (difference > 0 || (goneForMs !== null && goneForMs > billedLateMs));
}
