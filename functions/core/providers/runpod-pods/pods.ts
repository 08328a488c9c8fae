/** What RunPod says of pods, and what that means: pure. */
import { z } from 'zod';
import { failureOf, type ProviderAnswer } from '../http.ts';
import type { CreateOutcome, Machine, Offer, Refusal } from '../provider.ts';
import { hourlyPrice, type Place } from './offers.ts';

/** Its `env`, which holds what the lease logs in with, is left where it is. */
export const Pod = z.object({
  id: z.string().min(1),
  name: z.string(),
  /** Any: it is a hint, and one that nobody knows must not make the whole list unreadable. */
  status: z.string(),
  gpu: z.object({ id: z.string(), count: z.number() }).optional(),
  dataCenterId: z.string().nullish(),
  disk: z.number(), // GB
  cost: z.number(), // dollars per hour; 0 while it is stopped
});
export type Pod = z.infer<typeof Pod>;

/** The published description has no pages; who used the API met them (SkyPilot's adaptor follows `nextCursor`). */
export const PodPage = z.object({
  pods: z.array(Pod),
  pagination: z.object({ nextCursor: z.string().nullish(), hasNextPage: z.boolean().optional() }).nullish(),
});

/** RFC 9457, as all its errors are; what is not comes from something in between. */
const Problem = z.object({ status: z.number(), detail: z.string(), errors: z.array(z.string()).default([]) });

function problemOf(answer: ProviderAnswer): z.infer<typeof Problem> | null {
  try {
    const problem = Problem.parse(JSON.parse(answer.text));
    return problem.status === answer.status ? problem : null;
  } catch {
    return null;
  }
}

/** RunPod itself says that there is no such pod. */
export function saysNoneSuch(answer: ProviderAnswer): boolean {
  return answer.status === 404 && problemOf(answer) !== null;
}

const machineStatus: Record<string, Machine['status']> = {
  PROVISIONING: 'starting',
  STARTING: 'starting',
  RUNNING: 'running',
  // Stopped, or never came up; its disk is billed.
  EXITED: 'failed',
  ERROR: 'failed',
};

/** Null for a pod that was deleted. */
export function machineOf(pod: Pod): Machine | null {
  if (pod.status === 'TERMINATED') return null;
  return {
    providerInstanceId: pod.id,
    label: pod.name,
    status: machineStatus[pod.status] ?? 'starting',
    ...(pod.cost > 0 ? { priceMicrodollarsPerHour: hourlyPrice(pod.cost, pod.disk) } : {}),
    detail: pod.status,
  };
}

/** What was made, against what was asked for. */
export function outcomeOf(pod: Pod, offer: Offer, place: Place): CreateOutcome {
  const detail = faultOf(pod, place);
  if (detail !== null) return { kind: 'broken', providerInstanceId: pod.id, detail };
  // A price that is not told yet is the one that was offered.
  const price = pod.cost > 0 ? hourlyPrice(pod.cost, pod.disk) : offer.priceMicrodollarsPerHour;
  return { kind: 'created', providerInstanceId: pod.id, priceMicrodollarsPerHour: price };
}

function faultOf(pod: Pod, place: Place): string | null {
  if (machineOf(pod)?.status === 'failed') return `It was ${pod.status} from the beginning.`;
  if (pod.gpu?.id !== place.gpu || pod.gpu.count !== 1) {
    return `It has ${pod.gpu ? `${pod.gpu.count} × ${pod.gpu.id}` : 'no GPU'} instead of 1 × ${place.gpu}.`;
  }
  if (place.dataCenter !== null && pod.dataCenterId && pod.dataCenterId !== place.dataCenter) {
    return `It is in ${pod.dataCenterId} instead of ${place.dataCenter}.`;
  }
  return null;
}

/**
 * What RunPod says with 400 when nothing is free: it has no code of its own for it (llm-autoeval #3,
 * runpodctl #189, skypilot sky/provision/runpod).
 */
const nothingFree = /\bno (longer any )?instances\b.*\bavailable\b|does not have the resources/i;

/** What the answer to a create says that made nothing. @throws ProviderError where a pod may have been made. */
export function refusalOf(answer: ProviderAnswer): CreateOutcome {
  const problem = problemOf(answer);
  const why = whyRefused(answer.status, problem?.detail ?? null);
  if (why === null) throw failureOf('runpod-pods', answer);
  const said = problem
    ? [problem.detail, ...problem.errors].join('; ')
    : failureOf('runpod-pods', answer).message;
  return { kind: 'refused', why, detail: said.slice(0, 300) };
}

/** The documented table (createPod in the OpenAPI description). @param detail null where RunPod did not say it itself. */
function whyRefused(status: number, detail: string | null): Refusal | null {
  // Whoever checks the key or counts the requests passes nothing on.
  if (status === 401) return 'unauthorized';
  if (status === 429) return 'rate_limited';
  if (detail === null) return null;
  if (status === 400) return nothingFree.test(detail) ? 'no_capacity' : 'invalid';
  if (status === 402) return 'no_credit';
  // 403: this pool is not for this account; the others may be.
  return [403, 404, 409, 422].includes(status) ? 'invalid' : null;
}
