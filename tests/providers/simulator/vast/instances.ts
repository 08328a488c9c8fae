/** Contracts of the simulated Vast, as its API tells of them. */
import { z } from 'zod';
import type { MarketMachine, Phase } from '../market.ts';
import { diskPerHour, offerRow, type VastOffer } from './offers.ts';

/** The body of `PUT /api/v0/asks/{id}/`. Fields that the CLI sends empty are null. */
export const CreateInstance = z.looseObject({
  client_id: z.literal('me').optional(),
  image: z.string().min(1),
  disk: z.number().min(8).default(8),
  label: z.string().max(1024).nullish(),
  /** An object, although the document calls it a string: ports are keys that begin with `-`. */
  env: z.record(z.string(), z.string()).default({}),
  runtype: z.string().default('ssh'),
  target_state: z.enum(['running', 'stopped']).default('running'),
  price: z.number().nullish(),
  cancel_unavail: z.boolean().optional(),
  args: z.array(z.string()).optional(),
  onstart: z.string().max(4048).nullish(),
});
export type CreateInstance = z.infer<typeof CreateInstance>;

/** What a machine was asked for with; null for what a test put into the market by itself. */
function askedFor(machine: MarketMachine): (CreateInstance & { gpuGiven?: string }) | null {
  const asked = machine.request as CreateInstance & { gpuGiven?: string };
  return asked.image ? asked : null;
}

/** Dollars per hour for the disk of a machine, which is billed until it is destroyed. */
export function diskPrice(machine: MarketMachine, offer: VastOffer): number {
  return diskPerHour(offer, askedFor(machine)?.disk ?? 8);
}

function statusOf(machine: MarketMachine): { actual_status: string | null; status_msg: string | null } {
  if (machine.ailment?.kind === 'cannot_start' && machine.phase === 'pulling')
    return {
      actual_status: 'created',
      status_msg:
        'Error response from daemon: failed to create task for container: OCI runtime create failed: ' +
        'nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.6',
    };
  const byPhase: Record<Phase, string | null> = {
    accepted: null,
    pulling: 'loading',
    running: 'running',
    exited: 'exited',
    preempted: 'exited',
  };
  const image = askedFor(machine)?.image ?? 'image';
  return {
    actual_status: byPhase[machine.phase],
    status_msg: machine.phase === 'running' ? `success, running ${image}/args` : null,
  };
}

export function instanceRow(machine: MarketMachine, offer: VastOffer, nowMs: number) {
  const asked = askedFor(machine);
  const disk = diskPrice(machine, offer);
  const { verified, rented, search, ask_contract_id, reliability, ...row } = offerRow(offer, 'on-demand', 8);
  const dph_base = machine.pricePerHour - disk;
  // Outbid and stopped by hand look alike.
  const state = machine.phase === 'preempted' ? 'stopped' : 'running';
  return {
    ...row,
    id: Number(machine.id),
    ...statusOf(machine),
    cur_state: state,
    next_state: state,
    intended_status: state,
    label: machine.label || null,
    gpu_name: asked?.gpuGiven ?? row.gpu_name,
    gpu_totalram: row.gpu_total_ram,
    image_uuid: asked?.image ?? 'image',
    image_args: asked?.args ?? [],
    image_runtype: asked?.runtype ?? 'args',
    extra_env: Object.entries(machine.environment),
    onstart: asked?.onstart ?? null,
    is_bid: typeof asked?.price === 'number',
    dph_base,
    dph_total: machine.pricePerHour,
    storage_total_cost: disk,
    instance: { gpuCostPerHour: dph_base, diskHour: disk, totalHour: machine.pricePerHour },
    disk_space: asked?.disk ?? 8,
    disk_usage: -1,
    disk_util: -1,
    gpu_util: null,
    uptime_mins: machine.runningAtMs === null ? null : (nowMs - machine.runningAtMs) / 60_000,
    start_date: machine.createdAtMs / 1000,
    end_date: machine.createdAtMs / 1000 + offer.facts.duration,
    ssh_host: 'ssh1.vast.invalid',
    ssh_idx: '1',
    ssh_port: 10_022,
    public_ipaddr: '192.0.2.45',
    template_id: null,
    template_name: null,
    volume_info: [],
  };
}
