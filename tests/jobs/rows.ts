/** What workers save, for tests. */
import type { ResultRow } from '../../functions/core/results/rows.ts';
import type { RunReport } from '../../functions/core/results/run.ts';

export function segment(text: string, startMs: number): ResultRow {
  const words = text.split(' ').map((word, i) => ({
    startMs: startMs + 100 * i,
    endMs: startMs + 100 * (i + 1),
    text: word,
    confidence: 0.5,
  }));
  return {
    kind: 'segment',
    startMs,
    endMs: startMs + 1000,
    text,
    language: 'en',
    confidence: 0.5,
    speakerId: null,
    words,
  };
}

export function runReport(analyzers: Partial<RunReport['analyzers'][number]>[]): RunReport {
  return {
    startedAt: '2026-01-01T00:00:00.000Z',
    wallMs: 1,
    device: 'cpu',
    worker: 'test',
    medium: null,
    damages: [],
    analyzers: analyzers.map((one) => ({
      name: 'transcribe',
      version: '1',
      status: 'ok',
      reason: null,
      wallMs: 1,
      models: [],
      ...one,
    })),
  };
}
