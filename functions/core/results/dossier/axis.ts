/** Everything that was found, on one time axis. Pure. */
import type { ResultDocument } from '../schema.ts';
import { objectsOf, peopleOf, speakerNames, textsOf } from './facts.ts';
import type { Wording } from './wording.ts';
import { clock, oneLine } from './write.ts';

export interface Entry {
  startMs: number;
  /** What it is: `Scene 2`, `Speaker 1`, a person's name. */
  who: string;
  /** null where that is all. */
  text: string | null;
}

/** In the order of time; at the same moment scenes come first, and what is said last. */
export function axis(result: ResultDocument, wording: Wording): Entry[] {
  const names = speakerNames(result, wording);
  const { label, heading } = wording;
  return [
    (result.scenes ?? []).map(({ startMs, endMs }, index) => ({
      startMs,
      who: wording.scene(index + 1),
      text: `${clock(startMs)} – ${clock(endMs)}`,
    })),
    (result.signals ?? []).map(({ startMs, endMs, signal }) => ({
      startMs,
      who: wording.signal[signal],
      text: `– ${clock(endMs)}`,
    })),
    (result.moderation?.findings ?? []).map(({ startMs, category }) => ({
      startMs,
      who: heading.moderation,
      text: oneLine(category),
    })),
    peopleOf(result, wording).flatMap(({ name, stretches }) =>
      stretches.map(({ startMs }) => ({ startMs, who: name, text: null })),
    ),
    objectsOf(result).flatMap(({ name, stretches }) =>
      stretches.map(({ startMs }) => ({ startMs, who: label.object, text: name })),
    ),
    textsOf(result).flatMap(({ name, stretches }) =>
      stretches.map(({ startMs }) => ({ startMs, who: label.text, text: name })),
    ),
    (result.transcript?.segments ?? []).map(({ startMs, speakerId, text }) => ({
      startMs,
      who: speakerId === null ? wording.unknownSpeaker : names.get(speakerId)!,
      text: oneLine(text),
    })),
  ]
    .flat()
    .toSorted((a, b) => a.startMs - b.startMs);
}
