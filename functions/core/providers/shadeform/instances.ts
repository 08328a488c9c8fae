/** What Shadeform says of instances, and what that means: pure. */
import { z } from 'zod';
import { failureOf, microdollars, type ProviderAnswer } from '../http.ts';
import type { CreateOutcome, CreateRequest, Machine, Refusal } from '../provider.ts';
import { choiceOf } from './offers.ts';

export const Created = z.object({ id: z.string().min(1) });

/** Its `launch_configuration`, which holds what the lease logs in with, is left where it is. */
export const Instance = z.object({
  id: z.string().min(1),
  name: z.string(),
  shade_instance_type: z.string(),
  /** Any: it is a hint, and one that nobody knows must not make the whole list unreadable. */
  status: z.string(),
  status_details: z.string().nullish(),
  cost_estimate: z.string(), // dollars
  hourly_price: z.number().nullish(), // cents
  rental_terms: z.object({ hourly_price: z.string().nullish() }).nullish(), // dollars
  /** Told by a read of one, not by the list. */
  auto_delete: z.object({ date_threshold: z.string().nullish() }).nullish(),
});
export type Instance = z.infer<typeof Instance>;
export const Instances = z.object({ instances: z.array(Instance) });

const machineStatus: Record<string, Machine['status']> = {
  creating: 'starting',
  pending_provider: 'starting',
  pending: 'starting',
  active: 'running',
  // May be billed: what failed at Shadeform may run at the cloud.
  error: 'failed',
  deleting: 'ending',
};

/** Null for an instance that was deleted. */
export function machineOf(instance: Instance): Machine | null {
  if (instance.status === 'deleted') return null;
  const price = priceOf(instance);
  // A spot machine that was reclaimed is deleted with this word (the description of `status_details`).
  const isTaken = instance.status === 'deleting' && instance.status_details === 'preempted';
  return {
    providerInstanceId: instance.id,
    label: instance.name,
    status: isTaken ? 'preempted' : (machineStatus[instance.status] ?? 'starting'),
    ...(price === null ? {} : { priceMicrodollarsPerHour: price }),
    detail: [instance.status, instance.status_details].filter(Boolean).join(': '),
  };
}

/** Per hour, where it is told already. Spot instances show theirs in `rental_terms`. */
export function priceOf({ rental_terms, hourly_price }: Instance): number | null {
  const dollars = Number.parseFloat(rental_terms?.hourly_price ?? '');
  if (dollars > 0) return microdollars(dollars);
  return hourly_price ? microdollars(hourly_price / 100) : null;
}

/** A minute, as dates may be rounded. */
const dateToleranceMs = 60_000;

/** Why what was made may not be kept, or null. */
export function faultOf(instance: Instance, { offer, deadlineAt }: CreateRequest): string | null {
  const asked = choiceOf(offer.offerId).shade_instance_type;
  if (instance.shade_instance_type !== asked)
    return `${instance.shade_instance_type} came instead of ${asked}.`;
  if (machineOf(instance)?.status === 'failed') return 'It was in error from the beginning.';
  const endsAtMs = Date.parse(instance.auto_delete?.date_threshold ?? '');
  return endsAtMs <= deadlineAt.getTime() + dateToleranceMs
    ? null
    : 'It would not be deleted by itself: auto_delete was not set.';
}

/** `error_code` and `error` are what its users met, `code` and `message` what a copy of the description says. */
const Failure = z.object({
  error_code: z.string().optional(),
  error: z.string().optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  id: z.string().optional(),
});

function saidBy(answer: ProviderAnswer): z.infer<typeof Failure> | null {
  try {
    return Failure.parse(JSON.parse(answer.text));
  } catch {
    return null;
  }
}

/** What the answer to a create says that made nothing. @throws ProviderError where an instance may have been made. */
export function refusalOf(answer: ProviderAnswer): CreateOutcome {
  const failure = failureOf('shadeform', answer);
  const said = saidBy(answer);
  // An error that names an instance is one that happened after it was made.
  if (said?.id) return { kind: 'broken', providerInstanceId: said.id, detail: failure.message };
  const why = whyRefused(answer.status, said && (said.error_code ?? said.code ?? ''));
  if (why === null) throw failure;
  return { kind: 'refused', why, detail: failure.message };
}

/** @param code null where Shadeform did not say it itself. */
function whyRefused(status: number, code: string | null): Refusal | null {
  // Whoever checks the key or counts the requests passes nothing on.
  if (status === 401 || status === 403) return 'unauthorized';
  if (status === 429) return 'rate_limited';
  if (code === null) return null;
  // Both are 409 (skypilot tests/unit_tests/test_shadeform_utils; RalphLabsAI/ralph-v2 eval).
  if (status === 402 || code === 'INSUFFICIENT_FUNDS') return 'no_credit';
  if (status === 409 || code === 'OUT_OF_STOCK') return 'no_capacity';
  return status === 400 || status === 404 || status === 422 ? 'invalid' : null;
}
