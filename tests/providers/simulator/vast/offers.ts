/** What the simulated Vast has to let: asks of hosts, and the search over them. */
import type { MarketOffer } from '../market.ts';
import { matches, sorted } from './filters.ts';

const hoursOfMonth = 720;

/** One ask, with what its row tells: https://docs.vast.ai/api-reference/search/search-offers. */
export interface VastOffer extends MarketOffer {
  facts: VastFacts;
}

export type VastFacts = ReturnType<typeof defaultFacts>;

function defaultFacts(id: number) {
  return {
    machine_id: id % 1000,
    host_id: 10_000 + (id % 1000),
    gpu_name: 'RTX 4090',
    num_gpus: 1,
    gpu_ram: 24_564, // MB
    gpu_arch: 'nvidia',
    compute_cap: 890,
    cuda_max_good: 12.8,
    driver_version: '570.86.15',
    cpu_arch: 'amd64',
    cpu_name: 'AMD EPYC 7543',
    cpu_cores: 64,
    cpu_cores_effective: 16,
    cpu_ghz: 2.8,
    cpu_ram: 257_000, // MB
    disk_space: 500, // GB
    disk_bw: 2400, // MB/s
    dlperf: 92.4,
    pcie_bw: 23.1,
    direct_port_count: 100,
    inet_down: 850, // Mb/s
    inet_up: 420,
    inet_down_cost: 0.002, // $/GB
    inet_up_cost: 0.003,
    storage_cost: 0.15, // $/GB/month
    min_bid: 0.2, // $/hour
    reliability: 0.995,
    verification: 'verified',
    geolocation: 'Sweden, SE',
    duration: 30 * 86_400, // s
    datacenter: false,
    static_ip: true,
    vms_enabled: false,
    external: false,
  };
}

/** An ask like most, but for what is said of it. */
export function vastOffer(id: number, pricePerHour: number, facts: Partial<VastFacts> = {}): VastOffer {
  return { id: String(id), stock: 1, pricePerHour, facts: { ...defaultFacts(id), ...facts } };
}

/** Asks that will do, and one of each kind that will not. */
export function defaultOffers(): VastOffer[] {
  return [
    vastOffer(7_100_101, 0.4),
    vastOffer(7_100_102, 0.22, {
      gpu_name: 'RTX 3090',
      gpu_ram: 24_576,
      min_bid: 0.1,
      geolocation: 'Oregon, US',
      inet_down_cost: 0.02,
      inet_up_cost: 0.025,
    }),
    vastOffer(7_100_103, 1.1, { gpu_name: 'A100 SXM4', gpu_ram: 81_920, min_bid: 0.7, storage_cost: 0.3 }),
    vastOffer(7_100_201, 0.1, { verification: 'unverified' }),
    vastOffer(7_100_202, 0.1, { reliability: 0.8 }),
    vastOffer(7_100_203, 0.1, { cuda_max_good: 11.8 }),
    vastOffer(7_100_204, 0.1, { cpu_arch: 'arm64' }),
    vastOffer(7_100_205, 0.1, { inet_down: 40 }),
    vastOffer(7_100_206, 0.1, { disk_space: 12 }),
    vastOffer(7_100_207, 0.1, { gpu_name: 'RTX 3060', gpu_ram: 12_288 }),
    vastOffer(7_100_208, 0.1, { duration: 1800 }),
    vastOffer(7_100_209, 0.1, { num_gpus: 4 }),
    vastOffer(7_100_210, 0.1, { gpu_name: 'RX 7900 XTX', gpu_arch: 'amd' }),
    vastOffer(7_100_211, 0.1, { external: true }),
  ];
}

/** Dollars per hour for so much disk. */
export function diskPerHour({ facts }: VastOffer, diskGb: number): number {
  return (diskGb * facts.storage_cost) / hoursOfMonth;
}

/** The row of an ask in a search of this type with so much disk. */
export function offerRow(offer: VastOffer, type: string, diskGb: number) {
  const { facts } = offer;
  const dph_base = type === 'bid' ? facts.min_bid : offer.pricePerHour;
  const disk = diskPerHour(offer, diskGb);
  const dph_total = dph_base + disk;
  return {
    ...facts,
    id: Number(offer.id),
    ask_contract_id: Number(offer.id),
    gpu_total_ram: facts.gpu_ram * facts.num_gpus,
    gpu_frac: 1,
    reliability2: facts.reliability,
    verified: facts.verification === 'verified',
    rentable: offer.stock > 0,
    rented: false,
    is_bid: type === 'bid',
    dph_base,
    dph_total,
    storage_total_cost: disk,
    dlperf_per_dphtotal: facts.dlperf / dph_total,
    score: (facts.dlperf * facts.reliability) / dph_total,
    search: { gpuCostPerHour: dph_base, diskHour: disk, totalHour: dph_total },
  };
}

/** What a search is of beside its filters; `ondemand` is the document's word, `on-demand` that of its example and the CLI. */
const types = ['on-demand', 'ondemand', 'bid', 'reserved'];

const filtersByDefault = { verified: { eq: true }, rentable: { eq: true }, rented: { eq: false } };

/** @throws InvalidFilter for what cannot be searched for. */
export function searchOffers(offers: VastOffer[], body: Record<string, unknown>) {
  const { type = 'on-demand', order = [['score', 'desc']], limit, allocated_storage = 8, ...filters } = body;
  if (!types.includes(String(type))) return null;
  const rows = offers.map((offer) => offerRow(offer, String(type), Number(allocated_storage)));
  const found = rows.filter((row) => matches(row, { ...filtersByDefault, ...filters }));
  return sorted(found, order as [string, string][]).slice(0, limit === undefined ? 64 : Number(limit));
}
