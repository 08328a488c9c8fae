/** For a language that the speech model does not know: nothing is heard, and the outcome says why. */
import type { AnalyzerSession, Outcome, Part } from '../analyzer.ts';

export class RefusedSession implements AnalyzerSession {
  readonly #durationMs: number;
  readonly #reason: string;

  constructor(durationMs: number, reason: string) {
    this.#durationMs = durationMs;
    this.#reason = reason;
  }

  async drain(nowMs: number): Promise<Part> {
    return { toMs: nowMs, rows: [] };
  }

  async finish(): Promise<Part & { outcome: Outcome }> {
    return {
      toMs: this.#durationMs,
      rows: [],
      outcome: { status: 'unsupported_language', reason: this.#reason },
    };
  }

  async dispose(): Promise<void> {}
}
