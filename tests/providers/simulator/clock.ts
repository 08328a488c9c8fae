/** The simulators' time: the real one, or one that only moves when it is told to. */

export interface Clock {
  nowMs(): number;
  /** Runs something after some time on this clock. @returns what takes it back. */
  after(ms: number, run: () => void): () => void;
}

export const realClock: Clock = {
  nowMs: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

export interface ManualClock extends Clock {
  /** Moves on and runs what becomes due, in order, each at its own time. */
  advance(ms: number): void;
}

export function manualClock(startMs = Date.now()): ManualClock {
  let now = startMs;
  const timers = new Set<{ atMs: number; run: () => void }>();
  return {
    nowMs: () => now,
    after(ms, run) {
      const timer = { atMs: now + ms, run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = [...timers].filter((timer) => timer.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
        if (!due) break;
        timers.delete(due);
        now = Math.max(now, due.atMs);
        due.run();
      }
      now = end;
    },
  };
}
