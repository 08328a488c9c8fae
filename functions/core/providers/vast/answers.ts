/** What Vast's answers mean. All of it is pure. */
import { z } from 'zod';
import { failureOf, microdollars, type ProviderAnswer } from '../http.ts';
import { type CreateOutcome, type Machine, type Offer, ProviderError, type Refusal } from '../provider.ts';

export const name = 'vast';

/** Errors come as this, with parts left out as the endpoint pleases; a 429 mostly as plain text. */
const Said = z.object({
  success: z.boolean().nullish(),
  error: z.string().nullish(),
  msg: z.string().nullish(),
  new_contract: z.number().int().nullish(),
});
type Said = z.infer<typeof Said>;

/** The body as Vast's own servers write it, or null where it is of another make (a proxy's page). */
export function saidIn(answer: ProviderAnswer): Said | null {
  try {
    return Said.safeParse(JSON.parse(answer.text)).data ?? null;
  } catch {
    return null;
  }
}

/**
 * An answer that is no success, as an error. A key that belongs to nobody is answered 404 by some
 * endpoints (OpenAPI: /bundles, /charges), which must never pass for "no such machine".
 */
export function failure(answer: ProviderAnswer): ProviderError {
  const general = failureOf(name, answer);
  return saidIn(answer)?.error === 'auth_error'
    ? new ProviderError('unauthorized', general.message)
    : general;
}

/** A clear "there is no such machine": in Vast's own words, never by the status. */
export function saysNoSuchInstance(answer: ProviderAnswer): boolean {
  return saidIn(answer)?.error === 'no_such_instance';
}

/** The same of a destroy, whose document has other words for it. A read by id is what proves it. */
export function saysNothingToDestroy(answer: ProviderAnswer): boolean {
  return saysNoSuchInstance(answer) || (answer.status === 404 && saidIn(answer)?.error === 'not_found');
}

/**
 * What came of a create. The price is the offer's, as the answer has none: what is really asked shows
 * when the machine is read. @throws ProviderError where a machine may exist all the same.
 */
export function outcomeOf(answer: ProviderAnswer, offer: Offer): CreateOutcome {
  const said = saidIn(answer);
  // Of Vast's own words only these: beside a contract stands its key.
  const detail = said
    ? [`${name} answered ${answer.status}`, said.error, said.msg].filter(Boolean).join(': ')
    : failure(answer).message;
  if (said?.new_contract) {
    const providerInstanceId = String(said.new_contract);
    if (answer.status !== 200 || said.success === false)
      return { kind: 'broken', providerInstanceId, detail };
    const { priceMicrodollarsPerHour } = offer;
    return { kind: 'created', providerInstanceId, priceMicrodollarsPerHour };
  }
  const why = refusalOf(answer, said);
  if (why) return { kind: 'refused', why, detail };
  if (answer.status !== 200) throw failure(answer);
  throw new ProviderError('unreadable', `${detail} to a create, without a contract.`);
}

/** Why a create was refused, or null where it is not certain that nothing was made. */
function refusalOf({ status }: ProviderAnswer, said: Said | null): Refusal | null {
  if (status === 429) return 'rate_limited';
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 402) return 'no_credit';
  if (!said || status >= 500) return null;
  const text = `${said.error ?? ''} ${said.msg ?? ''}`;
  if (said.error === 'auth_error') return 'unauthorized';
  // A bid below the lowest: the market moved on since the search.
  if (/no_such_ask|invalid_price/.test(text) || status === 410) return 'offer_gone';
  if (status !== 400 && status !== 404) return null;
  return /credit|balance/i.test(text) ? 'no_credit' : 'invalid';
}

export const Instance = z.object({
  id: z.number().int(),
  label: z.string().nullish(),
  actual_status: z.string().nullish(), // null until its host has heard of it
  cur_state: z.string().nullish(),
  next_state: z.string().nullish(),
  intended_status: z.string().nullish(),
  status_msg: z.string().nullish(),
  dph_total: z.number().nullish(), // $/hour with storage
});
export type Instance = z.infer<typeof Instance>;

/** Fields that are asked for in lists. Without a choice the whole environment comes along. */
export const instanceColumns = Object.keys(Instance.shape);

/** None of these comes back by itself (Vast's documentation: destroy it and rent another). */
const lost = new Set(['exited', 'stopped', 'frozen', 'unknown', 'offline']);

export function machineOf(instance: Instance): Machine {
  const detail = instance.status_msg?.trim().slice(0, 300);
  return {
    providerInstanceId: String(instance.id),
    label: instance.label ?? '',
    status: statusOf(instance),
    ...(instance.dph_total == null ? {} : { priceMicrodollarsPerHour: microdollars(instance.dph_total) }),
    ...(detail ? { detail } : {}),
  };
}

function statusOf({ actual_status, cur_state, next_state, intended_status, status_msg }: Instance) {
  // We never stop a machine: one that is meant to stay stopped was outbid, or the account ran dry.
  if ([cur_state, next_state, intended_status].every((state) => state === 'stopped')) return 'preempted';
  if (actual_status && lost.has(actual_status)) return 'failed';
  // The host tries again and again, and its driver stays too old.
  if (actual_status === 'created' && status_msg?.includes('OCI runtime create failed')) return 'failed';
  return actual_status === 'running' ? 'running' : 'starting';
}
