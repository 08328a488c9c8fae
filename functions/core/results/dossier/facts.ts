/** What the dossier tells, gathered from a result. Pure. */
import type { ResultDocument } from '../schema.ts';
import type { Wording } from './wording.ts';
import { oneLine } from './write.ts';

export interface Stretch {
  startMs: number;
  endMs: number;
}

/** One sort of things, or one text, or one person. */
export interface Seen {
  name: string;
  /** Tracks, or times it was read. */
  count: number;
  totalMs: number;
  stretches: Stretch[];
}

/** Sightings that are so near to each other are told as one. */
const nearMs = 5000;

/** The most often seen first. */
export function objectsOf({ objects }: ResultDocument): Seen[] {
  const byLabel = Map.groupBy(objects ?? [], (track) => oneLine(track.label));
  return sorted([...byLabel].map(([name, tracks]) => seen(name, tracks)));
}

/** Texts that read the same are one; the longest seen first. */
export function textsOf({ texts }: ResultDocument): Seen[] {
  const byText = Map.groupBy(texts ?? [], (text) => oneLine(text.text));
  byText.delete('');
  return [...byText]
    .map(([name, same]) =>
      seen(
        name,
        same.flatMap((text) => text.instances),
      ),
    )
    .toSorted((a, b) => b.totalMs - a.totalMs);
}

export interface PersonFacts extends Seen {
  personId: string;
  /** Given by hand. */
  isNamed: boolean;
  /** The best of the pictures that were kept. */
  thumbnail: string | null;
}

export function peopleOf({ people, faces }: ResultDocument, wording: Wording): PersonFacts[] {
  const byTrack = new Map((faces ?? []).map((face) => [face.trackId, face]));
  return (people ?? []).map((person, index) => {
    const tracks = person.trackIds.flatMap((trackId) => byTrack.get(trackId) ?? []);
    const qualityOf = (track: (typeof tracks)[number]) =>
      track.samples.reduce((best, { quality }) => Math.max(best, quality), 0);
    const pictured = tracks.filter((track) => track.thumbnail !== null);
    const best = pictured.toSorted((a, b) => qualityOf(b) - qualityOf(a))[0];
    const given = oneLine(person.name ?? '');
    return {
      ...seen(given || wording.person(index + 1), tracks.length > 0 ? tracks : [person]),
      personId: person.personId,
      isNamed: given !== '',
      thumbnail: best?.thumbnail ?? null,
    };
  });
}

/** What each speaker of the transcript is called. */
export function speakerNames(
  { speakers, transcript }: ResultDocument,
  wording: Wording,
): Map<string, string> {
  const ids = [
    ...(speakers ?? []).map((speaker) => speaker.speakerId),
    ...(transcript?.segments ?? []).flatMap((segment) => segment.speakerId ?? []),
  ];
  return new Map([...new Set(ids)].map((id, index) => [id, wording.speaker(index + 1)]));
}

export interface Turn extends Stretch {
  speaker: string | null;
  texts: { startMs: number; text: string }[];
}

/** Utterances of one speaker that follow each other, together. */
export function turnsOf(result: ResultDocument, wording: Wording): Turn[] {
  const names = speakerNames(result, wording);
  const turns: Turn[] = [];
  for (const { startMs, endMs, text, speakerId } of result.transcript?.segments ?? []) {
    const speaker = speakerId === null ? null : names.get(speakerId)!;
    const last = turns.at(-1);
    const line = { startMs, text: oneLine(text) };
    if (last && last.speaker === speaker) {
      last.texts.push(line);
      last.endMs = Math.max(last.endMs, endMs);
    } else turns.push({ startMs, endMs, speaker, texts: [line] });
  }
  return turns;
}

/** Stretches in the order of time, those near to each other as one. */
export function joined(stretches: readonly Stretch[], gapMs = nearMs): Stretch[] {
  const result: Stretch[] = [];
  for (const { startMs, endMs } of stretches.toSorted((a, b) => a.startMs - b.startMs)) {
    const last = result.at(-1);
    if (last && startMs - last.endMs <= gapMs) last.endMs = Math.max(last.endMs, endMs);
    else result.push({ startMs, endMs });
  }
  return result;
}

/** Time that is covered, each moment once. */
export function covered(stretches: readonly Stretch[]): number {
  return joined(stretches, 0).reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
}

function seen(name: string, stretches: readonly Stretch[]): Seen {
  return { name, count: stretches.length, totalMs: covered(stretches), stretches: joined(stretches) };
}

function sorted(all: Seen[]): Seen[] {
  return all.toSorted((a, b) => b.count - a.count || b.totalMs - a.totalMs);
}
