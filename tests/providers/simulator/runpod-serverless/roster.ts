/** The real workers of a simulated endpoint: who was heard of, and which jobs they should stop. */

/** A worker that is not heard of for so long is gone, and so is its hold on a job. */
export const pingGraceMs = 60_000;

export interface Roster {
  hear(workerId: string): void;
  /** Those that were heard of lately. */
  present(): string[];
  stop(workerId: string, jobId: string): void;
  /** The jobs that a worker should stop, told once. */
  takeStops(workerId: string): string[];
}

export function openRoster(nowMs: () => number): Roster {
  const heardAtMs = new Map<string, number>();
  const stops = new Map<string, string[]>();
  return {
    hear: (workerId) => void heardAtMs.set(workerId, nowMs()),
    present: () => [...heardAtMs].filter(([, atMs]) => nowMs() - atMs < pingGraceMs).map(([id]) => id),
    stop: (workerId, jobId) => void stops.set(workerId, [...(stops.get(workerId) ?? []), jobId]),
    takeStops(workerId) {
      const jobIds = stops.get(workerId) ?? [];
      stops.delete(workerId);
      return jobIds;
    },
  };
}
