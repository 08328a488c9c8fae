/** Salad's GPU classes: what a name, its prices by priority and its limits are written like. */
import { createHash } from 'node:crypto';
import type { MarketOffer } from '../market.ts';

export interface SaladOffer extends MarketOffer {
  facts: { name: string } & Record<string, unknown>;
}

/** @param pricePerHour dollars, at the highest priority. @param facts more of the class than its name. */
export function saladOffer(
  name: string,
  pricePerHour: number,
  facts: Record<string, unknown> = {},
  stock = 3,
): SaladOffer {
  const digits = createHash('sha256').update(name).digest('hex').slice(0, 12);
  return {
    id: `550e8400-e29b-41d4-a716-${digits}`,
    stock,
    pricePerHour,
    facts: { name, ...facts },
  };
}

export function defaultStock(): SaladOffer[] {
  return [
    saladOffer('RTX 4090 (24 GB)', 0.3),
    saladOffer('RTX 3090 (24 GB)', 0.15),
    saladOffer('RTX 3060 (12 GB)', 0.08, {}, 0),
  ];
}

export function gpuClassOf({ id, pricePerHour, facts }: SaladOffer): object {
  const price = (priority: string, share: number) => ({ priority, price: (pricePerHour * share).toFixed(3) });
  return {
    id,
    prices: [price('high', 1), price('medium', 0.8), price('low', 0.6), price('batch', 0.5)],
    is_high_demand: false,
    gpu_class_type: 'community',
    gpu_count: 1,
    min_vcpu: 1,
    max_vcpu: 16,
    min_ram: 1024,
    max_ram: 61_440,
    min_storage: 2 ** 30,
    max_storage: 250 * 2 ** 30,
    ...facts,
  };
}
