/** How far an analysis has come, over all analyzers: never back, at most twice a second. */

export interface ProgressPart {
  /** Its share of the work, in any unit. */
  cost: number;
  /** 0..1. */
  done(): number;
}

const everyMs = 500;
/** The rest is what analyzers do after the last picture and sample. */
const beforeFinish = 0.98;

export interface Progress {
  /** Looks at the parts and reports if it is time and there is something new. */
  update(): void;
  /** All is done. */
  finish(): void;
}

export function progressOf(
  parts: readonly ProgressPart[],
  report: (fraction: number) => void,
  now: () => number = () => performance.now(),
): Progress {
  const total = parts.reduce((sum, part) => sum + part.cost, 0);
  let reported = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;
  return {
    update() {
      if (total === 0 || now() - reportedAt < everyMs) return;
      const done = parts.reduce((sum, part) => sum + part.cost * Math.min(1, Math.max(0, part.done())), 0);
      const fraction = (beforeFinish * done) / total;
      if (fraction <= reported) return;
      reported = fraction;
      reportedAt = now();
      report(fraction);
    },
    finish() {
      report(1);
    },
  };
}
