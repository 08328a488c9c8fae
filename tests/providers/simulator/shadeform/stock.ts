/** What Shadeform has to rent, and its catalogue: one type of one cloud, with the regions that have it. */
import type { MarketOffer } from '../market.ts';

export interface ShadeformOffer extends MarketOffer {
  facts: {
    cloud: string;
    region: string;
    shade_instance_type: string;
    rental_type: 'on_demand' | 'spot';
    deployment_type: 'vm' | 'container' | 'baremetal';
    boot_time?: { min_boot_in_sec: number; max_boot_in_sec: number };
    configuration: {
      memory_in_gb: number;
      storage_in_gb: number;
      vcpus: number;
      num_gpus: number;
      gpu_type: string;
      vram_per_gpu_in_gb: number;
      interconnect: string;
      gpu_manufacturer: string;
      os_options: string[];
    };
  };
}

export function shadeformOffer(
  pricePerHour: number,
  facts: Partial<Omit<ShadeformOffer['facts'], 'configuration'>> & {
    configuration?: Partial<ShadeformOffer['facts']['configuration']>;
  } = {},
  stock = 2,
): ShadeformOffer {
  const all: ShadeformOffer['facts'] = {
    cloud: 'hyperstack',
    region: 'canada-1',
    shade_instance_type: 'A6000',
    rental_type: 'on_demand',
    deployment_type: 'vm',
    boot_time: { min_boot_in_sec: 180, max_boot_in_sec: 300 },
    ...facts,
    configuration: {
      memory_in_gb: 48,
      storage_in_gb: 256,
      vcpus: 6,
      num_gpus: 1,
      gpu_type: 'A6000',
      vram_per_gpu_in_gb: 48,
      interconnect: 'pcie',
      gpu_manufacturer: 'nvidia',
      os_options: ['ubuntu22.04_cuda12.2_shade_os', 'ubuntu22.04_cuda12.8_shade_os', 'ubuntu22.04'],
      ...facts.configuration,
    },
  };
  const id = [all.cloud, all.region, all.shade_instance_type, all.rental_type].join('/');
  return { id, stock, pricePerHour, facts: all };
}

const l40s = { gpu_type: 'L40S', vram_per_gpu_in_gb: 48 };
const rtx4090 = { gpu_type: 'RTX4090', vram_per_gpu_in_gb: 24 };

export function defaultStock(): ShadeformOffer[] {
  return [
    shadeformOffer(0.57),
    shadeformOffer(0.57, { region: 'norway-1' }, 0),
    shadeformOffer(0.29, { rental_type: 'spot' }),
    shadeformOffer(0.4, {
      cloud: 'datacrunch',
      region: 'fin-01',
      shade_instance_type: 'RTX4090',
      configuration: rtx4090,
    }),
    shadeformOffer(1.02, {
      cloud: 'massedcompute',
      region: 'wichita-usa-1',
      shade_instance_type: 'L40S',
      configuration: l40s,
    }),
  ];
}

/** `GET /instances/types`: prices of the type in cents, those of spot beside their region in dollars. */
export function instanceTypes(offers: ShadeformOffer[], query: URLSearchParams): object[] {
  const onlyAvailable = query.get('available') === 'true';
  const gpus = query.get('num_gpus');
  const types = Map.groupBy(offers, ({ facts }) => `${facts.cloud}/${facts.shade_instance_type}`);
  return [...types.values()]
    .filter(([first]) => gpus === null || first!.facts.configuration.num_gpus === Number(gpus))
    .map((regions) => {
      const { facts, pricePerHour } =
        regions.find((one) => one.facts.rental_type === 'on_demand') ?? regions[0]!;
      return {
        cloud: facts.cloud,
        shade_instance_type: facts.shade_instance_type,
        cloud_instance_type: `gpu_1x_${facts.shade_instance_type.toLowerCase()}`,
        configuration: facts.configuration,
        hourly_price: Math.round(pricePerHour * 100),
        deployment_type: facts.deployment_type,
        availability: regions
          .filter(({ stock }) => stock > 0 || !onlyAvailable)
          .map(({ facts, stock, pricePerHour }) => ({
            region: facts.region,
            available: stock > 0,
            display_name: `Somewhere in ${facts.region}`,
            rental_type: facts.rental_type,
            ...(facts.rental_type === 'spot' && { hourly_price: pricePerHour.toFixed(2) }),
          })),
        boot_time: facts.boot_time,
      };
    })
    .filter((type) => type.availability.length > 0)
    .sort((a, b) => a.hourly_price - b.hourly_price);
}
