/** A pod as it is asked for and as it is told of. */
import { z } from 'zod';
import type { MarketMachine } from '../market.ts';
import type { Rates } from './billing.ts';
import { Cloud, type RunpodOffer } from './stock.ts';

/**
 * The body of a create: closed, as the description says, so that what is unknown is refused. Of what
 * it knows, templates, mounts, CPU pods, SSH and Jupyter are not simulated.
 */
export const CreatePod = z
  .strictObject({
    name: z.string().min(1),
    image: z.string(),
    args: z.string().default(''),
    disk: z.int().min(1).default(50),
    env: z.record(z.string(), z.string()).default({}),
    ports: z.array(z.string()).default([]),
    registry: z.string().nullable().default(null),
    cloud: Cloud.default('SECURE'),
    dataCenterIds: z.array(z.string()).default([]),
    gpu: z.strictObject({
      id: z.string(),
      count: z.int().min(1).optional(),
      minCudaVersion: z
        .string()
        .regex(/^\d+\.\d+$/)
        .optional(),
    }),
  })
  .refine((body) => Object.keys(body.env).length <= 50, 'at most 50 environment variables');

export const PodAction = z.strictObject({ action: z.enum(['start', 'stop', 'restart', 'terminate']) });

/** What is kept of a create; machines that a test rented by itself have none of it. */
export type Asked = Partial<z.infer<typeof CreatePod> & { gpuDollarsPerHour: number; gpuGiven: string }>;

export function ratesOf(machine: MarketMachine): Rates {
  const { gpuDollarsPerHour = machine.pricePerHour, disk = 0 } = machine.request as Asked;
  return { gpuDollarsPerHour, diskGb: disk };
}

export function statusOf(machine: MarketMachine): string {
  if (machine.endedAtMs !== null) return 'TERMINATED';
  if (machine.phase === 'exited' || machine.phase === 'preempted') return 'EXITED';
  // RUNNING is said while the image is still pulled (alignment-hive #98).
  return machine.phase === 'accepted' ? 'PROVISIONING' : 'RUNNING';
}

export function podOf(machine: MarketMachine, { facts }: RunpodOffer, nowMs: number): unknown {
  const asked = machine.request as Asked;
  const status = statusOf(machine);
  const { runningAtMs } = machine;
  const isUp = machine.phase === 'running' && runningAtMs !== null;
  return {
    id: machine.id,
    name: machine.label,
    status,
    actions: status === 'EXITED' ? ['terminate'] : ['stop', 'terminate'],
    image: asked.image ?? 'runpod/base',
    args: asked.args ?? '',
    disk: asked.disk ?? 50,
    mounts: {},
    ports: asked.ports ?? [],
    env: machine.environment,
    registry: asked.registry ?? null,
    gpu: { id: asked.gpuGiven ?? facts.gpu, count: 1 },
    cloud: facts.cloud,
    dataCenterId: facts.dataCenter,
    cudaVersion: facts.cuda,
    ssh: { proxy: null, direct: null },
    template: null,
    cost: status === 'EXITED' ? 0 : ratesOf(machine).gpuDollarsPerHour,
    locked: false,
    globalNetworking: { enabled: false },
    runtime: isUp ? { uptime: Math.floor((nowMs - runningAtMs) / 1000), gpus: [], ports: [] } : null,
    createdAt: new Date(machine.createdAtMs).toISOString(),
    startedAt: runningAtMs === null ? null : new Date(runningAtMs).toISOString(),
  };
}
