/**
 * Diarization error rate (NIST, RT-09): speech that is missed, heard where there is none, or given to the
 * wrong speaker, over all speech. Speakers are matched so that it is least. Within 250 ms of where a turn
 * begins or ends nothing is counted: people do not agree about it either.
 */
import type { SpokenTurn } from '../media/conversation.ts';

const STEP_MS = 10;
const COLLAR_MS = 250;

export function diarizationErrorRate(said: readonly SpokenTurn[], heard: readonly SpokenTurn[]): number {
  const endMs = Math.max(...[...said, ...heard].map((turn) => turn.endMs));
  const shared = new Map<string, Map<string, number>>();
  let [speech, wrong, both] = [0, 0, 0];
  for (let tMs = 0; tMs < endMs; tMs += STEP_MS) {
    if (said.some((turn) => [turn.startMs, turn.endMs].some((at) => Math.abs(at - tMs) < COLLAR_MS)))
      continue;
    const [truth, found] = [said, heard].map((turns) => [
      ...new Set(turns.filter((turn) => turn.startMs <= tMs && tMs < turn.endMs).map((turn) => turn.speaker)),
    ]);
    speech += truth!.length;
    wrong += Math.abs(truth!.length - found!.length);
    both += Math.min(truth!.length, found!.length);
    for (const one of truth!) {
      const row = shared.get(one) ?? new Map<string, number>();
      shared.set(one, row);
      for (const other of found!) row.set(other, (row.get(other) ?? 0) + 1);
    }
  }
  return (wrong + both - bestMatch([...shared.values()], new Set())) / speech;
}

/** The most time that is shared where each speaker heard is at most one of those who spoke. */
function bestMatch(rows: readonly Map<string, number>[], taken: ReadonlySet<string>): number {
  const [row, ...rest] = rows;
  if (!row) return 0;
  let best = bestMatch(rest, taken);
  for (const [name, steps] of row) {
    if (!taken.has(name)) best = Math.max(best, steps + bestMatch(rest, new Set([...taken, name])));
  }
  return best;
}
