/**
 * The transcript as text/vtt (https://www.w3.org/TR/webvtt1/), SubRip and plain text. Pure.
 *
 * Cues follow what broadcasters ask for: at most two lines of 42 characters and six seconds, cut
 * between words. Only a word that is longer than a line by itself exceeds it, and a speaker's name
 * in SubRip.
 */
import type { ResultDocument } from './schema.ts';

type Segment = NonNullable<ResultDocument['transcript']>['segments'][number];

export interface Cue {
  startMs: number;
  endMs: number;
  /** One or two. */
  lines: string[];
  speakerId: string | null;
}

/** What is never cut: a word, and whether there is a space before it. */
interface Unit {
  text: string;
  isGlued: boolean;
  startMs: number;
  endMs: number;
}

const lineCharacters = 42;
const cueMs = 6000;

/** Scripts that write no spaces: a line may end between any two of their words. */
const unspaced =
  /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]/u;

/** Cuts utterances into cues that can be read, in order of time. */
export function cues(segments: readonly Segment[]): Cue[] {
  return segments.flatMap(cuesOf).toSorted((a, b) => a.startMs - b.startMs);
}

export function toVtt(segments: readonly Segment[]): string {
  const blocks = cues(segments).map(({ startMs, endMs, lines, speakerId }) => {
    const voice = speakerId === null ? '' : `<v ${escapeVtt(oneLine(speakerId))}>`;
    return `${clock(startMs, '.')} --> ${clock(endMs, '.')}\n${voice}${lines.map(escapeVtt).join('\n')}\n`;
  });
  return `WEBVTT\n\n${blocks.join('\n')}`;
}

/** SubRip has no tag for voices: a speaker is named in the text, where another one begins to speak. */
export function toSrt(segments: readonly Segment[]): string {
  let last: string | null = null;
  return cues(segments)
    .map(({ startMs, endMs, lines, speakerId }, index) => {
      const isOther = speakerId !== null && speakerId !== last;
      last = speakerId;
      const text = `${isOther ? prefix(speakerId) : ''}${lines.join('\n')}`;
      return `${index + 1}\n${clock(startMs, ',')} --> ${clock(endMs, ',')}\n${text}\n`;
    })
    .join('\n');
}

/** One utterance a line, with its speaker before it where one is known. */
export function toText(segments: readonly Segment[]): string {
  return segments
    .map(({ speakerId, text }) => `${speakerId === null ? '' : prefix(speakerId)}${oneLine(text)}\n`)
    .join('');
}

function cuesOf(segment: Segment): Cue[] {
  const groups: Unit[][] = [];
  for (const unit of unitsOf(segment)) {
    const group = groups.at(-1);
    const fits = group && lineCount([...group, unit]) <= 2 && unit.endMs - group[0]!.startMs <= cueMs;
    if (fits) group.push(unit);
    else groups.push([unit]);
  }
  return groups.map((group) => {
    const { startMs } = group[0]!;
    // A cue without length is not shown; a recogniser's word that lasts a minute would stay for one.
    const endMs = Math.min(Math.max(group.at(-1)!.endMs, startMs + 1), startMs + cueMs);
    return { startMs, endMs, lines: twoLines(group), speakerId: segment.speakerId };
  });
}

/**
 * The words of an utterance with times that never go back. Where a recogniser gives no words, or
 * one with spaces in it, its time is shared out by characters.
 */
function unitsOf(segment: Segment): Unit[] {
  const units: Unit[] = [];
  const words = segment.words.length > 0 ? segment.words : [segment];
  let readTo = 0;
  for (const word of words) {
    for (const piece of piecesOf(word)) {
      const foundAt = segment.text.indexOf(piece.text, readTo);
      const isGlued = readTo > 0 && foundAt === readTo;
      if (foundAt >= 0) readTo = foundAt + piece.text.length;
      const last = units.at(-1);
      if (last && isGlued && !unspaced.test(piece.text)) {
        last.text += piece.text;
        last.endMs = Math.max(last.endMs, piece.endMs);
        continue;
      }
      const startMs = Math.max(piece.startMs, last?.startMs ?? 0);
      units.push({ text: piece.text, isGlued, startMs, endMs: Math.max(piece.endMs, startMs) });
    }
  }
  return units;
}

function piecesOf({ text, startMs, endMs }: { text: string; startMs: number; endMs: number }) {
  const pieces = text.split(/\s+/u).filter((piece) => piece !== '');
  const characters = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const timeAt = (before: number) => Math.round(startMs + ((endMs - startMs) * before) / characters);
  let before = 0;
  return pieces.map((piece) => {
    const from = timeAt(before);
    before += piece.length;
    return { text: piece, startMs: from, endMs: timeAt(before) };
  });
}

function textOf(units: readonly Unit[]): string {
  return units.map((unit, i) => (i === 0 || unit.isGlued ? unit.text : ` ${unit.text}`)).join('');
}

function widthOf(units: readonly Unit[]): number {
  return [...textOf(units)].length;
}

function lineCount(units: readonly Unit[]): number {
  let lines = 1;
  let lineStart = 0;
  for (let i = 1; i < units.length; i++) {
    if (widthOf(units.slice(lineStart, i + 1)) <= lineCharacters) continue;
    lines++;
    lineStart = i;
  }
  return lines;
}

/** Breaks where the lines are as equal as they can be. */
function twoLines(units: readonly Unit[]): string[] {
  if (widthOf(units) <= lineCharacters || units.length === 1) return [textOf(units)];
  const breaks = units.slice(1).map((_, i) => [units.slice(0, i + 1), units.slice(i + 1)]);
  const longer = (lines: Unit[][]) => Math.max(...lines.map(widthOf));
  return breaks.reduce((best, next) => (longer(next) < longer(best) ? next : best)).map(textOf);
}

function clock(ms: number, point: '.' | ','): string {
  const part = (value: number, digits = 2) => String(Math.floor(value)).padStart(digits, '0');
  return `${part(ms / 3_600_000)}:${part((ms / 60_000) % 60)}:${part((ms / 1000) % 60)}${point}${part(ms % 1000, 3)}`;
}

/** `-->` would end the text, `&` and `<` would begin an entity or a tag. */
function escapeVtt(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const prefix = (speakerId: string) => `${oneLine(speakerId)}: `;

/** An empty line would end a cue, and any other an utterance. */
function oneLine(text: string): string {
  return text.trim().replace(/\s+/gu, ' ');
}
