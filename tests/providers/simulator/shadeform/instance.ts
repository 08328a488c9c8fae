/** Shadeform's instances: what is taken to make one, and what is shown of it. */
import { z } from 'zod';
import type { MarketMachine } from '../market.ts';
import type { ShadeformOffer } from './stock.ts';

const Env = z.object({ name: z.string(), value: z.string() });
/** What makes one, as far as it is simulated. */
export const CreateRequest = z.object({
  cloud: z.string(),
  region: z.string(),
  shade_instance_type: z.string(),
  shade_cloud: z.boolean(),
  name: z.string().min(1),
  rental_type: z.enum(['on_demand', 'spot']).default('on_demand'),
  os: z.string().optional(),
  launch_configuration: z
    .object({
      type: z.literal('docker'),
      docker_configuration: z.object({ image: z.string(), envs: z.array(Env).default([]) }),
    })
    .optional(),
  auto_delete: z
    .object({
      date_threshold: z.iso.datetime({ offset: true }).optional(),
      spend_threshold: z
        .string()
        .regex(/^\d+(\.\d+)?$/)
        .optional(),
    })
    .optional(),
});
export type CreateRequest = z.infer<typeof CreateRequest>;

export type AutoDelete = NonNullable<CreateRequest['auto_delete']>;

function at(ms: number): string {
  return new Date(ms).toISOString();
}

/** @param cost dollars. */
export function instanceOf(machine: MarketMachine, { facts }: ShadeformOffer, cost: number): object {
  const request = machine.request as Partial<CreateRequest>;
  const { os_options, ...configuration } = facts.configuration;
  const { phase, endedAtMs, runningAtMs } = machine;
  const isUp = phase !== 'accepted';
  return {
    id: machine.id,
    cloud: facts.cloud,
    region: facts.region,
    shade_instance_type: request.shade_instance_type ?? facts.shade_instance_type,
    cloud_instance_type: `gpu_1x_${facts.shade_instance_type.toLowerCase()}`,
    cloud_assigned_id: `cloud-${machine.id.slice(-12)}`,
    shade_cloud: true,
    name: machine.label,
    configuration: { ...configuration, os: request.os ?? os_options[0] },
    ip: isUp ? '192.0.2.7' : '',
    ssh_user: 'shadeform',
    ssh_port: 22,
    ...statusOf(machine),
    cost_estimate: String(cost),
    hourly_price: Math.round(machine.pricePerHour * 100),
    rental_terms: { rental_type: facts.rental_type, hourly_price: machine.pricePerHour.toFixed(2) },
    launch_configuration: request.launch_configuration,
    created_at: at(machine.createdAtMs),
    ...(runningAtMs === null ? {} : { active_at: at(runningAtMs) }),
    // The zero of the language that it is written in.
    deleted_at: endedAtMs === null ? '0001-01-01T00:00:00Z' : at(endedAtMs),
  };
}

function statusOf(machine: MarketMachine): object {
  if (machine.phase === 'preempted') return { status: 'deleting', status_details: 'preempted' };
  if (machine.endedAtMs !== null) return { status: 'deleting' };
  if (machine.phase === 'accepted') return { status: 'creating' };
  return machine.phase === 'pulling'
    ? { status: 'active', status_details: 'downloading' }
    : { status: 'active' };
}
