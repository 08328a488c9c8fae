/** Salad's GPU classes as offers. */
import { z } from 'zod';
import { gpuByName } from '../gpus.ts';
import { microdollars } from '../http.ts';
import type { Offer } from '../provider.ts';

/**
 * What others pay may take the node from all lower ones within half an hour (docs.salad.com, Priority
 * Pricing, Availability): a boot that is lost costs more than the few cents between them. At the
 * highest a node is only lost when its owner takes it back.
 */
export const priority = 'high';

/** Of the whole container; memory in MB, storage in bytes. GPU classes cost the same whatever is asked for. */
export function resources(diskGb: number): { cpu: number; memory: number; storage_amount: number } {
  return { cpu: 4, memory: 16_384, storage_amount: diskGb * 2 ** 30 };
}

const GpuClass = z.object({
  id: z.uuid(),
  /** `RTX 4090 (24 GB)`: the only place that tells its memory. */
  name: z.string(),
  gpu_count: z.number().default(1),
  min_vcpu: z.number().default(0),
  max_vcpu: z.number().default(Number.POSITIVE_INFINITY),
  min_ram: z.number().default(0),
  max_ram: z.number().default(Number.POSITIVE_INFINITY),
  min_storage: z.number().default(0),
  max_storage: z.number().default(Number.POSITIVE_INFINITY),
  prices: z.array(z.object({ priority: z.string().nullable(), price: z.string() })), // dollars per hour
});
type GpuClass = z.infer<typeof GpuClass>;
export const GpuClasses = z.object({ items: z.array(GpuClass) });

export const GpuAvailability = z.object({ available_gpu_high: z.number().int().nonnegative().optional() });

/** Null: not told, which is not none (docs.salad.com, Discover Scope and Preflight). */
export function freeNodes(answer: z.infer<typeof GpuAvailability>): number | null {
  return answer.available_gpu_high ?? null;
}

/** Classes of AMD cards, on which CUDA does not run, by their names: the API tells no maker. */
const amd = /radeon|instinct|\bamd\b|\b(rx|mi|w)[ -]?\d/i;

/** "A few minutes", and 20 at times (docs.salad.com, FAQ, Deployment Lifecycle): nodes are at home, and so is their network. */
const bootMs = 300_000;

/** Null for what our image cannot run on, or has no memory or price that is told. How many are free is told elsewhere. */
export function offerOf(gpuClass: GpuClass, diskGb: number): Omit<Offer, 'available'> | null {
  const { id, name } = gpuClass;
  const gpu = name.replace(/\s*\(.*\)\s*$/, '');
  const known = gpuByName(gpu);
  const gigabytes = Number(/\((\d+) ?GB\)/i.exec(name)?.[1]);
  const vramMb = gigabytes > 0 ? gigabytes * 1000 : known.vramMb;
  const dollars = Number.parseFloat(gpuClass.prices.find((one) => one.priority === priority)?.price ?? '');
  if (amd.test(name) || gpuClass.gpu_count !== 1 || vramMb === null || !(dollars > 0)) return null;
  if (!hasRoom(gpuClass, diskGb)) return null;
  return {
    provider: 'salad',
    offerId: id,
    // Each create gets another node, and which one is told to nobody beforehand.
    host: null,
    gpu,
    vramMb,
    cuda: null,
    region: null,
    reliability: null,
    interruptible: true,
    priceMicrodollarsPerHour: microdollars(dollars),
    trafficMicrodollarsPerGb: { in: 0, out: 0 },
    downloadMbps: null,
    billedFrom: 'start',
    bootMs,
    speed: known.speed,
  };
}

function hasRoom(gpuClass: GpuClass, diskGb: number): boolean {
  const { cpu, memory, storage_amount } = resources(diskGb);
  const isWithin = (least: number, value: number, most: number) => least <= value && value <= most;
  return (
    isWithin(gpuClass.min_vcpu, cpu, gpuClass.max_vcpu) &&
    isWithin(gpuClass.min_ram, memory, gpuClass.max_ram) &&
    isWithin(gpuClass.min_storage, storage_amount, gpuClass.max_storage)
  );
}
