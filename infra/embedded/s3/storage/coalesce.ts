/**
 * Group commit: callers share runs of `work`. A caller's promise settles with a run that *began after the call*,
 * so what the caller prepared before is covered by it. At most one run is under way at a time.
 */
export function coalesce(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  const start = (): Promise<void> => {
    const run = work().finally(() => {
      if (running === run) running = null;
    });
    running = run;
    return run;
  };

  return () => {
    if (!running) return start();
    next ??= running
      .catch(() => {}) // the callers of that run hear of its failure, the next ones try themselves
      .then(() => {
        next = null;
        return start();
      });
    return next;
  };
}
