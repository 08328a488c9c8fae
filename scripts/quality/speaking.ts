/**
 * Diarization error rate, the common measure of who spoke when: time that is missed, made up or given
 * to the wrong speaker, over the time spoken. Whose name a found speaker stands for is chosen so that
 * the rate is lowest. Around each change of the truth a quarter of a second does not count, as in
 * NIST's evaluations: nobody can say to the millisecond when a word begins.
 * Source: NIST, Rich Transcription 2009 evaluation plan, section 6.1.
 */

export interface Turn {
  speaker: string;
  startMs: number;
  endMs: number;
}

const STEP_MS = 10;
const COLLAR_MS = 250;

/** At most some ten speakers; one speaks at a time in `there`. @returns 0 and more. */
export function diarizationErrorRate(found: readonly Turn[], there: readonly Turn[]): number {
  const edges = there.flatMap(({ startMs, endMs }) => [startMs, endMs]);
  const endMs = Math.max(...[...found, ...there].map((turn) => turn.endMs), 0);
  let spoken = 0;
  let madeUp = 0;
  let missed = 0;
  /** Steps that found and true speakers have in common. */
  const shared = new Map<string, Map<string, number>>();
  let both = 0;
  for (let at = STEP_MS / 2; at < endMs; at += STEP_MS) {
    if (edges.some((edge) => Math.abs(edge - at) < COLLAR_MS)) continue;
    const real = speakerAt(there, at);
    const heard = speakerAt(found, at);
    if (real !== null) spoken++;
    if (real === null && heard !== null) madeUp++;
    if (real !== null && heard === null) missed++;
    if (real === null || heard === null) continue;
    both++;
    const row = shared.get(heard) ?? new Map<string, number>();
    shared.set(heard, row.set(real, (row.get(real) ?? 0) + 1));
  }
  return spoken === 0 ? Number.NaN : (missed + madeUp + both - bestAssignment([...shared.values()])) / spoken;
}

const speakerAt = (turns: readonly Turn[], atMs: number) =>
  turns.find(({ startMs, endMs }) => atMs >= startMs && atMs < endMs)?.speaker ?? null;

/** The most steps that agree when every found speaker stands for at most one true one, and the other way round. */
function bestAssignment(rows: readonly ReadonlyMap<string, number>[], taken = new Set<string>()): number {
  const [row, ...rest] = rows;
  if (!row) return 0;
  let best = bestAssignment(rest, taken);
  for (const [name, steps] of row) {
    if (!taken.has(name)) best = Math.max(best, steps + bestAssignment(rest, new Set([...taken, name])));
  }
  return best;
}
