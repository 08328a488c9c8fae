/**
 * GPUs by the names that providers give them. `speed` is the prior of the planner: how much faster a
 * machine with it works than the two CPU cores that the work's own priors stand for
 * (planner/estimate.ts). It only orders offers until the first runs are measured; from then on what was
 * measured counts.
 *
 * Speeds are scaled by the cards' dense FP16 tensor throughput (vendors' data sheets), on a 3090 with
 * large models taken as 8: 34 times real time for Whisper large-v3-turbo is what is reported of one
 * (https://huggingface.co/openai/whisper-large-v3-turbo/discussions/40), while decoding and the other
 * analyses hold the whole film back.
 */
const table: [name: RegExp, vramMb: number, speed: number][] = [
  [/\bB200\b/, 183_000, 40],
  [/\bH200\b/, 143_000, 30],
  [/\bH100\b/, 81_000, 28],
  [/\bA100\b/, 81_000, 18],
  [/\bL40S\b/, 46_000, 16],
  [/\b(RTX )?6000 ?Ada\b/i, 49_000, 16],
  [/\bRTX ?PRO ?6000\b/i, 97_000, 22],
  [/\bL40\b/, 46_000, 13],
  [/\bA40\b/, 46_000, 9],
  [/\bA6000\b/, 49_000, 9],
  [/\bA5000\b/, 24_000, 7],
  [/\bA4500\b/, 20_000, 6],
  [/\bA4000\b/, 16_000, 5],
  [/\b4000 ?Ada\b/i, 20_000, 6],
  [/\b2000 ?Ada\b/i, 16_000, 4],
  [/\bL4\b/, 23_000, 6],
  [/\bA10\b/, 23_000, 7],
  [/\bA30\b/, 24_000, 8],
  [/\bT4\b/, 15_000, 3],
  [/\bV100\b/, 16_000, 6],
  [/\b5090\b/, 32_000, 18],
  [/\b5080\b/, 16_000, 11],
  [/\b5070 ?Ti\b/i, 16_000, 9],
  [/\b4090\b/, 24_000, 15],
  [/\b4080\b/, 16_000, 10],
  [/\b4070 ?Ti\b/i, 12_000, 8],
  [/\b3090\b/, 24_000, 8],
  [/\b3080 ?Ti\b/i, 12_000, 7],
  [/\b3080\b/, 10_000, 6],
  [/\b3060\b/, 12_000, 3],
];

/** A card nobody listed is taken for a modest one. */
const unknownSpeed = 4;

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
