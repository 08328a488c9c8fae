/**
 * How long work takes before anything was measured: priors, which what was measured corrects
 * (pace.ts). All times in ms.
 */

/** What is known of a queued job. */
export interface Work {
  analyses: string[];
  kind: string | null;
  durationMs: number | null;
  sizeBytes: number | null;
}

/**
 * CPU seconds per second of medium on two cores with the packaged models, and per still picture.
 */
const priors: Record<string, { perSecond: number; perPicture: number }> = {
  metadata: { perSecond: 0, perPicture: 0 },
  transcribe: { perSecond: 0.12, perPicture: 0 },
  speakers: { perSecond: 0.03, perPicture: 0 },
  ocr: { perSecond: 0.35, perPicture: 1.2 },
  objects: { perSecond: 0.12, perPicture: 0.1 },
  faces: { perSecond: 0.2, perPicture: 0.2 },
  scenes: { perSecond: 0.06, perPicture: 0.1 },
  signals: { perSecond: 0.02, perPicture: 0 },
  moderation: { perSecond: 0.06, perPicture: 0.1 },
  similarity: { perSecond: 0.02, perPicture: 0.1 },
};

/** Fetching, probing, opening models: what even the shortest medium takes. */
const overheadMs = 400;

/** A medium of unknown length counts as ten minutes. */
const unknownMs = 600_000;

/** A medium of unknown size counts as 5 Mbit/s, a film as cameras and studios deliver it for the web. */
const unknownBytesPerMs = 625;

export function priorWorkMs(work: Omit<Work, 'sizeBytes'>): number {
  const seconds = Math.max(0, work.durationMs ?? unknownMs) / 1000;
  const sum = work.analyses.reduce((total, name) => {
    const prior = priors[name] ?? { perSecond: 0.5, perPicture: 1 };
    return total + (work.kind === 'image' ? prior.perPicture : prior.perSecond * seconds);
  }, 0);
  return overheadMs + sum * 1000;
}

function sizeOf(work: Work): number {
  return work.sizeBytes ?? Math.max(0, work.durationMs ?? unknownMs) * unknownBytesPerMs;
}

/** What some work asks of a machine: the same for all machines. */
export interface Task {
  priorMs: number;
  bytes: number;
  /** The same for the same analyses of the same kind of medium: what is learned of one holds for the others. */
  sort: string;
}

export function taskOf(work: Work): Task {
  return { priorMs: priorWorkMs(work), bytes: sizeOf(work), sort: sortOf(work) };
}

export function sortOf({ kind, analyses }: Pick<Work, 'kind' | 'analyses'>): string {
  return `${kind ?? ''}|${analyses.toSorted().join('+')}`;
}
