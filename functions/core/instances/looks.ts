/**
 * When a provider is looked at: each by one of us at a time, whoever moves its next look on. Often
 * while something lives or may live there, and twelve times an hour otherwise, since something of ours
 * may be there all the same.
 */
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';

/** While a lease lives or is in doubt at a provider, and while nothing is rented there. */
const busyLookSeconds = 25;
const quietLookSeconds = 5 * 60;

/**
 * Whether it is this sweep's turn to look at a provider. Busy is not only what lives: a create that was
 * never answered is watched for as long as its machine could live, and so is what the last list showed.
 */
export async function takeLook(core: Core, provider: string): Promise<boolean> {
  // A conflict writes even where nothing is updated, and mostly it is nobody's turn.
  const [early] = await core.sql`
    select from providers where provider = ${provider} and next_look_at > now()`;
  if (early) return false;
  const [mine] = await core.sql`
    insert into providers as p (provider, next_look_at)
    values (${provider}, now() + make_interval(secs => ${busyLookSeconds}))
    on conflict (provider) do update set next_look_at = now() + make_interval(secs => case
      when p.machines > 0 or p.failures > 0 or exists (
        select from instances i where i.provider = p.provider and (
          i.state <> 'terminated' or i.doubted_at is not null and i.provider_instance_id is null and i.deadline_at > now()))
      then ${busyLookSeconds}::float8 else ${quietLookSeconds}::float8 end)
    where p.next_look_at <= now()
    returning provider`;
  return mine !== undefined;
}

/**
 * From now on a provider is busy: for the transaction that writes a lease, so that however quiet it was
 * there, an answer that is lost is looked for in the next half minute.
 */
export async function lookWhileBusy(tx: Tx, provider: string): Promise<void> {
  await tx`
    insert into providers as p (provider, next_look_at)
    values (${provider}, now() + make_interval(secs => ${busyLookSeconds}))
    on conflict (provider) do update set next_look_at = excluded.next_look_at
      where p.next_look_at > excluded.next_look_at`;
}

/** Looks at every provider at the next sweep, however quiet it was: after a start of ours. */
export async function lookSoon(core: Core): Promise<void> {
  await core.sql`update providers set next_look_at = now() where next_look_at > now()`;
}
