/**
 * What the providers offer, kept in Postgres for all functions, so that a look at the queue need not
 * wait for them. Machines on this one (`local`) are asked each time: that takes no request.
 *
 * What a crash leaves: an answer that nobody wrote down. The next look asks again.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { raise } from '../alerts/alerts.ts';
import type { Core } from '../core.ts';
import type { Tx } from '../database.ts';
import { log } from '../log.ts';
import { noteFailure, noteSuccess } from '../providers/health.ts';
import type { Offer, Provider } from '../providers/provider.ts';

/** So old, an answer is as good as a new one; a machine that was taken meanwhile is refused, and costs nothing. */
const freshMs = 60_000;
/** Better than none where the provider does not answer now. */
const staleMs = 10 * 60_000;
/** Asked again before they are needed: at half the age, since the sweep comes every half minute. */
const warmMs = 25_000;
/** A look waits no longer; a later answer is for the next one. */
const patienceMs = 2_000;
/** After so long a question counts as failed, whatever its adapter waits for. */
const askTimeoutMs = 20_000;

interface Kept {
  provider: string;
  offers: Offer[] | null;
  ageMs: number | null;
  isPaused: boolean;
}

/** What could be rented now. A provider that cannot answer offers nothing; the others are heard all the same. */
export async function currentOffers(core: Core): Promise<Offer[]> {
  const kept = await readKept(core);
  const offers = await Promise.all(
    [...core.providers.values()].map((provider) =>
      provider.isRemote ? offersOf(core, provider, kept.get(provider.name)) : askDirectly(provider),
    ),
  );
  return offers.flat();
}

/** Asks ahead while something is on its way that may need a machine, so that its look finds fresh offers. */
export async function warmOffers(core: Core): Promise<void> {
  const remote = [...core.providers.values()].filter((provider) => provider.isRemote);
  if (remote.length === 0) return;
  const [awaited] = await core.sql`
    select from jobs where state in ('awaiting_upload', 'queued') limit 1`;
  if (!awaited) return;
  const kept = await readKept(core);
  const due = remote.filter((provider) => {
    const { ageMs = null, isPaused = false } = kept.get(provider.name) ?? {};
    return !isPaused && (ageMs ?? Infinity) >= warmMs;
  });
  await Promise.all(due.map((provider) => soon(core, provider)));
}

/** An offer that was refused is not tried again before the provider makes it anew. */
export async function forgetOffer({ sql }: Core, provider: string, offerId: string): Promise<void> {
  await sql`
    update providers set offers = coalesce(
      (select jsonb_agg(one) from jsonb_array_elements(offers) one where one ->> 'offerId' <> ${offerId}), '[]')
    where provider = ${provider} and jsonb_typeof(offers) = 'array'`;
}

/** What was just rented is not on offer any more, whatever the age of the answer. */
export async function takeStock(tx: Tx, { provider, offerId }: Offer): Promise<void> {
  await tx`
    update providers set offers = (
      select jsonb_agg(case when one ->> 'offerId' = ${offerId}
        then jsonb_set(one, '{available}', to_jsonb(greatest(0, (one ->> 'available')::integer - 1))) else one end)
      from jsonb_array_elements(offers) one)
    where provider = ${provider} and jsonb_typeof(offers) = 'array' and offers <> '[]'`;
}

async function readKept({ sql, providers }: Core): Promise<Map<string, Kept>> {
  const rows = await sql<Kept[]>`
    select provider, offers, extract(epoch from now() - offers_at)::float8 * 1000 as age_ms,
      coalesce(paused_until_at > now(), false) as is_paused
    from providers where provider = any (${[...providers.keys()]})`;
  return new Map(rows.map((row) => [row.provider, row]));
}

async function offersOf(core: Core, provider: Provider, kept: Kept | undefined): Promise<Offer[]> {
  const { offers = null, ageMs = null, isPaused = false } = kept ?? {};
  const isWithin = (ms: number) => offers !== null && ageMs !== null && ageMs <= ms;
  if (isWithin(freshMs)) return offers!;
  // Nothing is rented there now: what it said last is only shown, with the reason.
  const answer = isPaused ? null : await soon(core, provider);
  return answer ?? (isWithin(staleMs) ? offers! : []);
}

async function askDirectly(provider: Provider): Promise<Offer[]> {
  try {
    return await provider.offers();
  } catch (error) {
    log.error('a provider makes no offers now', { provider: provider.name, error });
    return [];
  }
}

/** null where there is no answer in time. One that comes later is kept, and rings for another look. */
async function soon(core: Core, provider: Provider): Promise<Offer[] | null> {
  let isLate = false;
  const asked = ask(core, provider).then((offers) => {
    if (isLate && offers) core.publisher.jobsQueued([]);
    return offers;
  });
  return Promise.race([
    asked,
    sleep(patienceMs, null, { ref: false }).then(() => {
      isLate = true;
      return null;
    }),
  ]);
}

/** Questions that are under way in this process: looks that come meanwhile wait for the same answer. */
const underWay = new WeakMap<Provider, Promise<Offer[] | null>>();

/** Never throws: null where the provider gave no answer. */
function ask(core: Core, provider: Provider): Promise<Offer[] | null> {
  const known = underWay.get(provider);
  if (known) return known;
  const asked = askAndKeep(core, provider).finally(() => underWay.delete(provider));
  underWay.set(provider, asked);
  return asked;
}

async function askAndKeep(core: Core, provider: Provider): Promise<Offer[] | null> {
  const { name } = provider;
  try {
    const offers = await withTimeout(provider.offers());
    await core.sql`
      insert into providers (provider, offers, offers_at) values (${name}, ${core.sql.json(offers as never)}, now())
      on conflict (provider) do update set offers = excluded.offers, offers_at = excluded.offers_at`;
    await noteSuccess(core.sql, name);
    return offers;
  } catch (error) {
    log.error('a provider makes no offers now', { provider: name, error });
    await noteTrouble(core, name, error);
    return null;
  }
}

async function noteTrouble({ sql }: Core, provider: string, failure: unknown): Promise<void> {
  try {
    const text = await noteFailure(sql, provider, failure);
    if (text)
      await raise(sql, {
        key: `provider:${provider}:unauthorized`,
        severity: 'critical',
        text,
        data: { provider },
      });
  } catch (error) {
    log.error('the failure of a provider was not noted', { provider, error });
  }
}

async function withTimeout<T>(answer: Promise<T>): Promise<T> {
  const given = new AbortController();
  try {
    return await Promise.race([
      answer,
      sleep(askTimeoutMs, undefined, { signal: given.signal, ref: false }).then(() => {
        throw new Error(`no answer in ${askTimeoutMs / 1000} s`);
      }),
    ]);
  } finally {
    given.abort();
  }
}
