/** What Salad says of container groups, and what that means: pure. */
import { z } from 'zod';
import { failureOf, type ProviderAnswer } from '../http.ts';
import type { CreateOutcome, Machine, Refusal } from '../provider.ts';

/** Its environment, which holds what the lease logs in with, is left where it is. */
export const ContainerGroup = z.object({
  name: z.string().min(1),
  restart_policy: z.string(),
  current_state: z.object({
    /** Any: it is a hint, and one that nobody knows must not make the whole list unreadable. */
    status: z.string(),
    description: z.string().nullish(),
    instance_status_counts: z.object({
      allocating_count: z.number(),
      creating_count: z.number(),
      running_count: z.number(),
      stopping_count: z.number(),
    }),
  }),
});
export type ContainerGroup = z.infer<typeof ContainerGroup>;
export const ContainerGroups = z.object({ items: z.array(ContainerGroup) });

/** The list has no pages and at most so many (`ContainerGroupCollection`): one as long as that may have been cut. */
export const mostListed = 100;

export function machineOf(group: ContainerGroup): Machine {
  const { status, description } = group.current_state;
  return {
    providerInstanceId: group.name,
    label: group.name,
    status: statusOf(group),
    detail: [status, description].filter(Boolean).join(': '),
  };
}

function statusOf({
  current_state: { status, instance_status_counts: count },
}: ContainerGroup): Machine['status'] {
  switch (status) {
    case 'running':
      if (count.running_count > 0) return 'running';
      // A group keeps running while its instance is on its way to another node, where all begins anew
      // (docs.salad.com, Deployment Lifecycle): for us the machine was taken away.
      return count.stopping_count > 0 ? 'ending' : 'preempted';
    // Whether it ended, was stopped or never came up: nothing will run in it any more.
    case 'succeeded':
    case 'stopped':
    case 'failed':
      return 'failed';
    default:
      return 'starting';
  }
}

/** `CreateContainer.environment_variables` */
const longestValue = 1000;

/** Why Salad would not take an environment, or null. */
export function environmentFault(environment: Record<string, string>): string | null {
  for (const [key, { length }] of Object.entries(environment)) {
    if (length === 0 || length > longestValue)
      return `${key} has ${length} characters; Salad takes 1 to ${longestValue}.`;
  }
  return null;
}

/** What the answer to a create says that made nothing. @throws ProviderError where a group may have been made. */
export function refusalOf(answer: ProviderAnswer): CreateOutcome {
  const failure = failureOf('salad', answer);
  const why = whyRefused(answer);
  if (why === null) throw failure;
  return { kind: 'refused', why, detail: failure.message };
}

function whyRefused({ status, text }: ProviderAnswer): Refusal | null {
  if (status === 401) return 'unauthorized';
  // A page instead of a problem is by the edge, which refuses bodies with what looks like a command in
  // them (`/bin/…`; imazen's launch_fleet.sh, 2026-05-30): that says nothing of the key.
  if (status === 403) return text.trimStart().startsWith('{') ? 'unauthorized' : 'invalid';
  if (status === 402) return 'no_credit';
  if (status === 429) return 'rate_limited';
  return [400, 404, 409, 422].includes(status) ? 'invalid' : null;
}
