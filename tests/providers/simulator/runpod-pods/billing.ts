/** The simulated bill: what each pod cost in each hour or day, GPU and disk apart. */
import type { MarketMachine } from '../market.ts';

const bucketMs = { hour: 3_600_000, day: 86_400_000 };
export type BucketSize = keyof typeof bucketMs;

/** $0.10 for a GB in a month of 730 hours. */
export const diskDollarsPerGbPerHour = 0.1 / 730;

export interface Rates {
  gpuDollarsPerHour: number;
  diskGb: number;
}

interface BillingRequest {
  startMs: number;
  endMs: number;
  bucketSize: BucketSize;
  podId: string | null;
  nowMs: number;
}

/** RunPod widens what was asked for to whole buckets. */
export function bill(
  machines: MarketMachine[],
  ratesOf: (machine: MarketMachine) => Rates,
  { startMs, endMs, bucketSize, podId, nowMs }: BillingRequest,
): unknown {
  const width = bucketMs[bucketSize];
  const fromMs = Math.floor(startMs / width) * width;
  const toMs = Math.ceil(endMs / width) * width;
  const range = (from: number, to: number) => ({ startTime: time(from), endTime: time(to) });
  const records = [];
  for (let bucket = fromMs; bucket < toMs; bucket += width) {
    for (const machine of machines) {
      const { gpuDollarsPerHour, diskGb } = ratesOf(machine);
      const billedMs =
        Math.min(machine.endedAtMs ?? nowMs, bucket + width) - Math.max(machine.createdAtMs, bucket);
      if (billedMs <= 0 || (podId !== null && machine.id !== podId)) continue;
      const hours = billedMs / 3_600_000;
      const amounts = sums([
        { gpuAmount: gpuDollarsPerHour * hours, diskAmount: diskGb * diskDollarsPerGbPerHour * hours },
      ]);
      records.push({ ...range(bucket, bucket + width), podId: machine.id, ...amounts });
    }
  }
  return {
    records,
    metadata: {
      query: { ...range(fromMs, toMs), bucketSize, podId },
      recordCount: records.length,
      uniquePodCount: new Set(records.map((record) => record.podId)).size,
      totals: sums(records),
    },
  };
}

function sums(parts: { gpuAmount: number; diskAmount: number }[]) {
  const gpuAmount = parts.reduce((sum, part) => sum + part.gpuAmount, 0);
  const diskAmount = parts.reduce((sum, part) => sum + part.diskAmount, 0);
  return { totalAmount: gpuAmount + diskAmount, gpuAmount, cpuAmount: 0, diskAmount };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
