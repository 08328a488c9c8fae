/** Shadeform's instance types as offers: one type in one region, on demand or spot. */
import { z } from 'zod';
import { gpuByName } from '../gpus.ts';
import { microdollars } from '../http.ts';
import type { Offer } from '../provider.ts';

const InstanceType = z.object({
  cloud: z.string(),
  shade_instance_type: z.string(),
  hourly_price: z.number(), // cents, on demand
  deployment_type: z.string(),
  configuration: z.object({
    num_gpus: z.number(),
    gpu_type: z.string(),
    gpu_manufacturer: z.string().default('nvidia'),
    vram_per_gpu_in_gb: z.number(),
    storage_in_gb: z.number(),
    os_options: z.array(z.string()).default([]),
  }),
  availability: z.array(
    z.object({
      region: z.string(),
      display_name: z.string().default(''),
      available: z.boolean(),
      rental_type: z.string().default('on_demand'),
      /** Dollars, of spot alone. */
      hourly_price: z.string().optional(),
    }),
  ),
  boot_time: z.object({ max_boot_in_sec: z.number().optional() }).optional(),
});
type InstanceType = z.infer<typeof InstanceType>;
export const InstanceTypes = z.object({ instance_types: z.array(InstanceType) });

/** What `create` must say to get an offer. */
const Choice = z.object({
  cloud: z.string(),
  region: z.string(),
  shade_instance_type: z.string(),
  rental_type: z.enum(['on_demand', 'spot']),
  os: z.string().optional(),
});

/** Where a type does not tell its boot: what the slower clouds take. */
const bootMsUntold = 600_000;
/** The image is pulled when the machine is up: 16 GB took 165 s elsewhere (facts: alignment-hive #98). */
const pullMs = 165_000;

/** Nothing for what our image cannot run on: bare metal boots for half an hour, and it uses one NVIDIA GPU. */
export function offersOf(type: InstanceType, diskGb: number): Offer[] {
  const { cloud, shade_instance_type, configuration } = type;
  const fits =
    configuration.num_gpus === 1 &&
    configuration.gpu_manufacturer.toLowerCase() === 'nvidia' &&
    configuration.storage_in_gb >= diskGb &&
    ['vm', 'container'].includes(type.deployment_type);
  if (!fits) return [];
  const system = newestSystem(configuration.os_options);
  const bootSeconds = type.boot_time?.max_boot_in_sec;
  return type.availability.flatMap((place): Offer[] => {
    const rental = z.enum(['on_demand', 'spot']).safeParse(place.rental_type);
    const isSpot = place.rental_type === 'spot';
    const dollars = isSpot ? Number.parseFloat(place.hourly_price ?? '') : type.hourly_price / 100;
    if (!rental.success || !(dollars > 0)) return [];
    const choice: Record<string, string> = {
      cloud,
      region: place.region,
      shade_instance_type,
      rental_type: rental.data,
      ...(system ? { os: system.os } : {}),
    };
    return [
      {
        provider: 'shadeform',
        offerId: new URLSearchParams(choice).toString(),
        host: `${cloud}/${place.region}`,
        gpu: configuration.gpu_type,
        vramMb: configuration.vram_per_gpu_in_gb * 1000,
        cuda: system?.cuda ?? null,
        region: [place.region, place.display_name].filter(Boolean).join(', '),
        reliability: null,
        interruptible: isSpot,
        priceMicrodollarsPerHour: microdollars(dollars),
        trafficMicrodollarsPerGb: { in: 0, out: 0 },
        downloadMbps: null,
        // From when on the clouds count is not told, so the worse is taken.
        billedFrom: 'request',
        // Told is whether there is one, not how many; and a create may be refused all the same.
        available: place.available ? 1 : 0,
        bootMs: bootSeconds === undefined ? bootMsUntold : bootSeconds * 1000 + pullMs,
        // `RTX4090` as the others write it.
        speed: gpuByName(configuration.gpu_type.replace(/^RTX_?/, 'RTX ')).speed,
      },
    ];
  });
}

/** @throws ZodError where it is not an offer of `offersOf`. */
export function choiceOf(offerId: string): z.infer<typeof Choice> {
  return Choice.parse(Object.fromEntries(new URLSearchParams(offerId)));
}

/**
 * The system with the newest CUDA, such as `ubuntu22.04_cuda12.2_shade_os`. Which one comes where none
 * is asked for is not told, and a driver that is too old is only found out when the boot was paid for.
 */
function newestSystem(options: string[]): { os: string; cuda: number } | null {
  const systems = options.flatMap((os) => {
    const cuda = Number(/cuda(\d+\.\d+)/.exec(os)?.[1]);
    return cuda > 0 ? [{ os, cuda }] : [];
  });
  return systems.sort((a, b) => b.cuda - a.cuda)[0] ?? null;
}
