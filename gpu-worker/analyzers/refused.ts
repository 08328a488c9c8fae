/** Where an analyzer cannot do what it was asked for: nothing is found, and the outcome says why. */
import type { AnalyzerSession, Outcome, Part } from './analyzer.ts';

export class RefusedSession implements AnalyzerSession {
  readonly #durationMs: number;
  readonly #outcome: Outcome;

  constructor(durationMs: number, status: Outcome['status'], reason: string) {
    this.#durationMs = durationMs;
    this.#outcome = { status, reason };
  }

  async drain(nowMs: number): Promise<Part> {
    return { toMs: nowMs, rows: [] };
  }

  async finish(): Promise<Part & { outcome: Outcome }> {
    return { toMs: this.#durationMs, rows: [], outcome: this.#outcome };
  }

  async dispose(): Promise<void> {}
}

/** For an analyzer of whose models none comes through npm. */
export function refusedWithoutPip(durationMs: number): AnalyzerSession {
  const reason = 'The model for it comes through pip, and the worker has no python3 with pip.';
  return new RefusedSession(durationMs, 'skipped', reason);
}
