/** One figure of quality, with what a reader needs to judge it. */
import type { Kit } from './kit.ts';

export interface Figure {
  /** Snake case, as printed after the word `figure`. */
  name: string;
  value: number;
  better: 'higher' | 'lower';
  /** What it was measured on, how much of it, and what it does not say; for people. */
  over: string;
  /** Models that ran, with their versions. */
  models: readonly string[];
}

/** Measures one or several figures of one analyzer; none where their media cannot be had, with `kit.skip`. */
export interface Measure {
  /** The analyzer's name. */
  analyzer: string;
  run(kit: Kit): Promise<Figure[]>;
}
