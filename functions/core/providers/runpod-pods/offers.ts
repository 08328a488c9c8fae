/** RunPod's catalog as offers: one GPU type of one cloud in one data centre. */
import { z } from 'zod';
import { gpuByName } from '../gpus.ts';
import { microdollars } from '../http.ts';
import type { Offer } from '../provider.ts';

/** SECURE: data centres. COMMUNITY: other people's machines. */
export const Cloud = z.enum(['SECURE', 'COMMUNITY']);
export type Cloud = z.infer<typeof Cloud>;

const Availability = z.enum(['NONE', 'LOW', 'MEDIUM', 'HIGH']);

const GpuType = z.object({
  id: z.string().min(1),
  manufacturer: z.string(),
  memory: z.number().int(), // GB
  secure: z.boolean(),
  community: z.boolean(),
  price: z.object({ secure: z.number(), community: z.number() }), // dollars per hour
  availability: Availability.default('NONE'),
  /** Left out where it is free nowhere. */
  dataCenters: z.array(z.object({ id: z.string().min(1), availability: Availability })).default([]),
  cudaVersions: z.array(z.object({ version: z.string(), available: z.boolean() })).default([]),
});
export const GpuTypes = z.object({ gpus: z.array(GpuType) });

/** Where a pod is to be put. */
export interface Place {
  cloud: Cloud;
  gpu: string;
  /** Null: wherever the cloud has one. */
  dataCenter: string | null;
}

/** RunPod tells a level, not a number; these are ours, and a create may be refused all the same. */
const available = { NONE: 0, LOW: 1, MEDIUM: 4, HIGH: 16 };

/** 16 GB of image took 165 s to pull where no machine had it and 33 s where one had (facts: alignment-hive #98). */
const bootMs = 90_000;

/**
 * What one GPU type is offered as in one cloud; nothing where that cloud has none, or where the card
 * is not one that CUDA runs on.
 */
export function offersFor(cloud: Cloud, gpu: z.infer<typeof GpuType>, diskGb: number): Offer[] {
  const tier = cloud === 'SECURE' ? 'secure' : 'community';
  if (gpu.manufacturer !== 'NVIDIA' || !gpu[tier] || gpu.price[tier] <= 0) return [];
  const cuda = gpu.cudaVersions.filter((one) => one.available).map((one) => Number(one.version));
  const places =
    gpu.dataCenters.length > 0 ? gpu.dataCenters : [{ id: null, availability: gpu.availability }];
  return places.map(({ id: dataCenter, availability }) => ({
    provider: 'runpod-pods',
    offerId: offerId({ cloud, gpu: gpu.id, dataCenter }),
    // Which machine it was is not told. Those of one kind in one place are mostly alike: what one of
    // them lacks, its driver or a fast way to the registry, the next is likely to lack too.
    host: dataCenter === null ? null : `${dataCenter}/${gpu.id}`,
    gpu: gpu.id,
    vramMb: gpu.memory * 1000,
    cuda: cuda.length > 0 ? Math.max(...cuda) : null,
    region: dataCenter,
    reliability: null,
    interruptible: false,
    priceMicrodollarsPerHour: hourlyPrice(gpu.price[tier], diskGb),
    trafficMicrodollarsPerGb: { in: 0, out: 0 },
    downloadMbps: null,
    billedFrom: 'request',
    available: available[availability],
    bootMs,
    speed: gpuByName(gpu.id).speed,
  }));
}

function offerId({ cloud, gpu, dataCenter }: Place): string {
  return [cloud, gpu, ...(dataCenter === null ? [] : [dataCenter])].join('/');
}

/** @throws Error where it is not an offer of `offersFor`. */
export function placeOf(offerId: string): Place {
  const [cloud, gpu, dataCenter = null] = offerId.split('/');
  if (!gpu) throw new Error(`${offerId} is no offer of RunPod.`);
  return { cloud: Cloud.parse(cloud), gpu, dataCenter };
}

/** $0.10 for a GB in a month of 730 hours (docs.runpod.io/pods/pricing). */
const diskDollarsPerGbPerHour = 0.1 / 730;

/** GPU and container disk, in micro-dollars; RunPod's prices are those of the GPU alone. */
export function hourlyPrice(gpuDollarsPerHour: number, diskGb: number): number {
  return microdollars(gpuDollarsPerHour + diskGb * diskDollarsPerGbPerHour);
}
