/** What the simulated RunPod has, and its catalog of it. */
import { z } from 'zod';
import type { MarketOffer } from '../market.ts';

export const Cloud = z.enum(['SECURE', 'COMMUNITY']);
export type Cloud = z.infer<typeof Cloud>;

export interface RunpodFacts {
  cloud: Cloud;
  gpu: string;
  memoryGb: number;
  dataCenter: string;
  /** Of the hosts' drivers. */
  cuda: string;
}

export interface RunpodOffer extends MarketOffer {
  facts: RunpodFacts & Record<string, unknown>;
}

/** RunPod has one price for a GPU type in a cloud, wherever it stands. */
function stock(
  gpu: string,
  memoryGb: number,
  pricePerHour: number,
  cloud: Cloud,
  places: Record<string, number>,
  cuda = '12.8',
): RunpodOffer[] {
  return Object.entries(places).map(([dataCenter, stock]) => ({
    id: `${cloud}/${gpu}/${dataCenter}`,
    stock,
    pricePerHour,
    facts: { cloud, gpu, memoryGb, dataCenter, cuda },
  }));
}

/** Prices as of 2026 (facts: providers.md, 6.1, and the examples of the API's own description). */
export function defaultStock(): RunpodOffer[] {
  return [
    ...stock('NVIDIA GeForce RTX 4090', 24, 0.44, 'SECURE', { 'US-KS-2': 12, 'EU-RO-1': 5 }),
    ...stock('NVIDIA GeForce RTX 4090', 24, 0.31, 'COMMUNITY', { 'EU-SE-1': 4 }),
    ...stock('NVIDIA GeForce RTX 3090', 24, 0.22, 'COMMUNITY', { 'CA-MTL-1': 2 }),
    ...stock('NVIDIA L4', 24, 0.44, 'SECURE', { 'EU-RO-1': 8 }),
    ...stock('NVIDIA A40', 48, 0.44, 'SECURE', { 'EU-SE-1': 3 }),
    ...stock('NVIDIA A100 80GB PCIe', 80, 1.39, 'SECURE', { 'US-KS-2': 2 }),
    ...stock('NVIDIA H100 80GB HBM3', 80, 2.69, 'SECURE', { 'US-TX-3': 0 }),
    ...stock('NVIDIA RTX A4000', 16, 0.17, 'COMMUNITY', { 'CA-MTL-1': 6 }, '12.1'),
    ...stock('AMD Instinct MI300X OAM', 192, 1.99, 'SECURE', { 'EU-RO-1': 4 }),
  ];
}

/** RunPod compares versions part by part: 12.11 is above 12.2. */
export function reaches(cuda: string, minimum: string | null | undefined): boolean {
  if (!minimum) return true;
  const [major = 0, minor = 0] = cuda.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = minimum.split('.').map(Number);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

function level(stock: number): string {
  return stock === 0 ? 'NONE' : stock < 3 ? 'LOW' : stock < 10 ? 'MEDIUM' : 'HIGH';
}

/** Ids such as `US-KS-2`: the only names that the simulator has for places. */
const regions: Record<string, string> = { US: 'NORTH_AMERICA', CA: 'NORTH_AMERICA', EU: 'EUROPE' };

export interface Wanted {
  cloud: Cloud;
  count: number;
  minCudaVersion: string | null;
}

/** @param wanted null: without stock, as it is answered without `include=AVAILABILITY`. */
export function gpuTypes(offers: RunpodOffer[], wanted: Wanted | null): unknown[] {
  return [...Map.groupBy(offers, (offer) => offer.facts.gpu)].map(([id, ofType]) => {
    const inCloud = (cloud: Cloud) => ofType.filter((offer) => offer.facts.cloud === cloud);
    const perCloud = <T>(figure: (ofCloud: RunpodOffer[]) => T) => ({
      secure: figure(inCloud('SECURE')),
      community: figure(inCloud('COMMUNITY')),
    });
    return {
      id,
      name: id.replace(/^(NVIDIA|AMD) (GeForce )?/, ''),
      pool: null,
      manufacturer: id.startsWith('AMD') ? 'AMD' : 'NVIDIA',
      memory: ofType[0]!.facts.memoryGb,
      ...perCloud((some) => some.length > 0),
      price: perCloud((some) => some[0]?.pricePerHour ?? 0),
      maxCount: perCloud((some) => (some.length > 0 ? 1 : 0)),
      ...(wanted && availability(inCloud(wanted.cloud), wanted)),
    };
  });
}

function availability(offers: RunpodOffer[], { count, minCudaVersion }: Wanted): Record<string, unknown> {
  // The simulated hosts have one GPU each.
  const fitting = offers.filter((offer) => count === 1 && reaches(offer.facts.cuda, minCudaVersion));
  const total = fitting.reduce((sum, offer) => sum + offer.stock, 0);
  const versions = Map.groupBy(fitting, (offer) => offer.facts.cuda);
  return {
    availability: level(total),
    ...(total > 0 && {
      dataCenters: fitting.map(({ stock, facts: { dataCenter } }) => ({
        id: dataCenter,
        name: dataCenter,
        availability: level(stock),
      })),
    }),
    ...(versions.size > 0 && {
      cudaVersions: [...versions].map(([version, some]) => ({
        version,
        available: some.some((offer) => offer.stock > 0),
      })),
    }),
  };
}

export function dataCenters(offers: RunpodOffer[], withGpus: boolean): unknown[] {
  return [...Map.groupBy(offers, (offer) => offer.facts.dataCenter)].map(([id, here]) => ({
    id,
    name: id,
    region: regions[id.split('-')[0]!] ?? 'UNKNOWN',
    globalNetwork: false,
    networkVolumeTypes: ['STANDARD'],
    compliance: [],
    ...(withGpus && {
      gpuAvailability: here.map(({ stock, facts: { gpu } }) => ({
        id: gpu,
        name: gpu,
        availability: level(stock),
      })),
    }),
  }));
}
