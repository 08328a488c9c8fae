/** What a worker may use. Which models an analyzer takes, where it has a choice, follows from this alone. */
import type { Tier } from './manifest.ts';

export interface Means {
  tier: Tier;
  /** Whether models out of packages of the Python Package Index are here already or can be fetched (pip.ts). */
  hasPip: boolean;
}

/** What every machine has: npm packages. */
export const leastMeans: Means = { tier: 'packaged', hasPip: false };
