/** Salad's container groups: what is taken to make one, and what is shown of it. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { MarketMachine } from '../market.ts';
import type { SaladOffer } from './stock.ts';

/** The only ones there are. */
export const organization = 'aima';
export const project = 'workers';

/** `ContainerGroupPrototype`, as far as it is simulated. */
export const Creation = z.object({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/),
  container: z.object({
    image: z.string().min(1),
    environment_variables: z.record(z.string(), z.string().min(1).max(1000)).default({}),
    priority: z.enum(['high', 'medium', 'low', 'batch']).nullable().default('high'),
    resources: z.object({
      cpu: z.int().min(1).max(1024),
      memory: z.int().min(1024),
      storage_amount: z
        .int()
        .min(2 ** 30)
        .default(2 ** 30),
      gpu_classes: z.array(z.uuid()).min(1),
    }),
  }),
  replicas: z.int().min(0).max(500),
  restart_policy: z.enum(['always', 'on_failure', 'never']),
  autostart_policy: z.boolean(),
});

export const GpuAvailabilityPrototype = z.object({ gpu_classes: z.array(z.uuid()).min(1) });

/** The same for the same machine; for another node of it another. */
export function uuid(of: 'group' | 'instance' | 'machine', { label, moves }: MarketMachine): string {
  const digest = createHash('sha256').update(`${of} ${label} ${of === 'group' ? 0 : moves}`);
  return digest.digest('hex').replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-4$3-8$4-$5');
}

export function groupOf(machine: MarketMachine, offer: SaladOffer, nowMs: number): object {
  const { environment, label, createdAtMs, runningAtMs, endedAtMs } = machine;
  const asked = Creation.safeParse(machine.request).data;
  const at = (ms: number) => new Date(ms).toISOString();
  const { priority = 'high', ...container } = asked?.container ?? {
    image: 'somebody/else',
    resources: { cpu: 1, memory: 1024, gpu_classes: [offer.id] },
  };
  return {
    id: uuid('group', machine),
    name: label,
    display_name: label,
    organization_name: organization,
    project_name: project,
    container: {
      ...container,
      command: [],
      environment_variables: environment,
    },
    autostart_policy: asked?.autostart_policy ?? true,
    restart_policy: asked?.restart_policy ?? 'always',
    replicas: asked?.replicas ?? 1,
    priority,
    country_codes: [],
    pending_change: false,
    version: 1,
    'scheduled-scaling-enabled': false,
    'scaling-actions': [],
    create_time: at(createdAtMs),
    update_time: at(nowMs),
    current_state: {
      status: statusOf(machine),
      start_time: at(runningAtMs ?? createdAtMs),
      finish_time: at(endedAtMs ?? nowMs),
      instance_status_counts: countsOf(machine),
    },
  };
}

/** A group that has run keeps `running` while its instance is on its way to another node. */
function statusOf({ endedAtMs, phase, moves }: MarketMachine): string {
  if (endedAtMs !== null) return 'succeeded';
  if (phase === 'running' || moves > 0) return 'running';
  return phase === 'accepted' ? 'pending' : 'deploying';
}

/** There is no count for what is downloading. */
function countsOf({ endedAtMs, phase, moves }: MarketMachine): Record<string, number> {
  const isUp = endedAtMs === null;
  return {
    allocating_count: Number(isUp && phase === 'accepted' && moves > 0),
    creating_count: Number(isUp && phase === 'pulling'),
    running_count: Number(isUp && phase === 'running'),
    stopping_count: 0,
  };
}

export function instanceOf(machine: MarketMachine, nowMs: number): object {
  const isRunning = machine.phase === 'running';
  return {
    id: uuid('instance', machine),
    machine_id: uuid('machine', machine),
    state: isRunning ? 'running' : machine.phase === 'pulling' ? 'downloading' : 'allocating',
    update_time: new Date(nowMs).toISOString(),
    version: 1,
    ready: isRunning,
    started: isRunning,
  };
}
