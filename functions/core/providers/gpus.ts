/**
 * GPUs by the names that providers give them. `speed` is the prior of the planner: how much faster a
 * machine with it works than the two CPU cores that the work's own priors stand for
 * (planner/estimate.ts). It only orders offers until the first runs are measured; from then on what was
 * measured counts.
 *
 * Anchor: an hour of film with all analyses and large models is taken for a quarter of an hour on a 4090
 * (facts: peers.md 4.3, "0.25-1.0x, to be measured"; no GPU of ours has measured it yet), where the
 * priors have it at 0.65 seconds a second: 2.6. The others are scaled by their cards' dense FP16 tensor
 * throughput (vendors' data sheets), with less for the largest, which wait for the decoding.
 */
const table: [name: RegExp, vramMb: number, speed: number][] = [
  [/\bB200\b/, 183_000, 6.9],
  [/\bH200\b/, 143_000, 5.2],
  [/\bH100\b/, 81_000, 4.9],
  [/\bA100\b/, 81_000, 3.1],
  [/\bL40S\b/, 46_000, 2.8],
  [/\b(RTX )?6000 ?Ada\b/i, 49_000, 2.8],
  [/\bRTX ?PRO ?6000\b/i, 97_000, 3.8],
  [/\bL40\b/, 46_000, 2.3],
  [/\bA40\b/, 46_000, 1.6],
  [/\bA6000\b/, 49_000, 1.6],
  [/\bA5000\b/, 24_000, 1.2],
  [/\bA4500\b/, 20_000, 1],
  [/\bA4000\b/, 16_000, 0.9],
  [/\b4000 ?Ada\b/i, 20_000, 1],
  [/\b2000 ?Ada\b/i, 16_000, 0.7],
  [/\bL4\b/, 23_000, 1],
  [/\bA10\b/, 23_000, 1.2],
  [/\bA30\b/, 24_000, 1.4],
  [/\bT4\b/, 15_000, 0.5],
  [/\bV100\b/, 16_000, 1],
  [/\b5090\b/, 32_000, 3.1],
  [/\b5080\b/, 16_000, 1.9],
  [/\b5070 ?Ti\b/i, 16_000, 1.6],
  [/\b4090\b/, 24_000, 2.6],
  [/\b4080\b/, 16_000, 1.7],
  [/\b4070 ?Ti\b/i, 12_000, 1.4],
  [/\b3090\b/, 24_000, 1.4],
  [/\b3080 ?Ti\b/i, 12_000, 1.2],
  [/\b3080\b/, 10_000, 1],
  [/\b3060\b/, 12_000, 0.5],
];

/** A card nobody listed is taken for a modest one. */
const unknownSpeed = 0.7;

export interface Gpu {
  /** null where the card is not known here: then only the provider can tell. */
  vramMb: number | null;
  speed: number;
}

/** @param name as the provider writes it, such as `NVIDIA GeForce RTX 4090`, `RTX 4090`, `A100_80G`. */
export function gpuByName(name: string): Gpu {
  const plain = name.replaceAll('_', ' ');
  const row = table.find(([pattern]) => pattern.test(plain));
  return row ? { vramMb: row[1], speed: row[2] } : { vramMb: null, speed: unknownSpeed };
}
