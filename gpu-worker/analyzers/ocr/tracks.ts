/**
 * Text over time: the same sign in many frames is one text with one id.
 *
 * A line belongs to a track when it says about the same in about the same place, or nearly
 * exactly the same anywhere (scrolling credits). A track that is missed for a moment, because
 * somebody walked past or a reading failed, goes on when it comes back. Memory is bounded by
 * the texts of the last seconds: what is saved and gone is forgotten.
 */
import type { TextRow } from '../../../functions/core/results/rows.ts';
import { overlap, textSimilarity } from '../../../functions/core/results/similarity.ts';
import type { Quad } from './geometry.ts';
import type { Line } from './reading-order.ts';

const SAME_PLACE = { overlap: 0.3, similarity: 0.6 };
const ELSEWHERE = { length: 5, similarity: 0.9 };
/** A text that is away for less than this was there all the time: two frames at one a second. */
const GAP_MS = 2_500;

interface Track {
  id: string;
  /** The most confident reading, and the place where it was seen last. */
  text: string;
  confidence: number;
  quad: Quad;
  /** Where its next row begins: when it was first seen, or what is saved already. */
  startMs: number;
  /** Time of the first frame without it since it was seen last; null while it is seen. */
  goneMs: number | null;
}

export class TextTracks {
  #tracks: Track[] = [];
  #nextId: number;

  /** Goes on from the rows saved before `fromMs`: texts that lasted until then may last on. */
  constructor(saved: readonly TextRow[], fromMs: number) {
    this.#nextId = 1 + Math.max(0, ...saved.map((row) => Number(row.textId.slice(1))));
    for (const { textId, text, confidence, quad, endMs } of saved) {
      if (endMs !== fromMs) continue;
      const track = { id: textId, text, confidence: confidence ?? 0, quad, startMs: fromMs, goneMs: fromMs };
      this.#tracks.push(track);
    }
  }

  /** The lines read in the frame at this time. Until the next call they are taken to stay. */
  see(tMs: number, lines: readonly Line[]): void {
    const open = this.#tracks.filter((track) => track.goneMs === null || tMs - track.goneMs < GAP_MS);
    const matched = matchLines(open, lines);
    for (const track of open) if (!matched.has(track)) track.goneMs ??= tMs;
    const known = new Map([...matched].map(([track, line]) => [line, track]));
    for (const line of lines) {
      const track = known.get(line);
      if (track) update(track, line);
      else this.#tracks.push({ id: `o${this.#nextId++}`, ...line, startMs: tMs, goneMs: null });
    }
  }

  /** Until when, at most `nowMs`, all is decided: a text missed just now may still come back. */
  finalMs(nowMs: number): number {
    const undecided = this.#tracks
      .map((track) => track.goneMs)
      .filter((goneMs) => goneMs !== null && nowMs - goneMs < GAP_MS);
    return Math.min(nowMs, ...undecided.map(Number));
  }

  /** The rows up to this time, in the order they appeared; what they tell will not be told again. */
  take(toMs: number): TextRow[] {
    const rows: TextRow[] = [];
    for (const track of this.#tracks) {
      const endMs = Math.min(track.goneMs ?? toMs, toMs);
      if (track.startMs >= endMs) continue;
      rows.push(toRow(track, track.startMs, endMs));
      track.startMs = endMs;
    }
    this.#tracks = this.#tracks.filter(({ goneMs }) => goneMs === null || goneMs > toMs - GAP_MS);
    return rows;
  }
}

/** The row of a text seen in [startMs, endMs). */
export const toRow = (
  { id, text, confidence, quad }: Pick<Track, 'id' | 'text' | 'confidence' | 'quad'>,
  startMs: number,
  endMs: number,
): TextRow => ({
  kind: 'text',
  textId: id,
  startMs,
  endMs,
  text,
  confidence,
  quad: quad.map(([x, y]) => [x, y]) as TextRow['quad'],
});

/** Pairs tracks with lines one to one, the most alike first. */
function matchLines(tracks: readonly Track[], lines: readonly Line[]): Map<Track, Line> {
  const pairs = tracks.flatMap((track) =>
    lines.map((line) => ({ track, line, score: likeness(track, line) })).filter(({ score }) => score > 0),
  );
  const matched = new Map<Track, Line>();
  const taken = new Set<Line>();
  for (const { track, line } of pairs.sort((a, b) => b.score - a.score)) {
    if (matched.has(track) || taken.has(line)) continue;
    matched.set(track, line);
    taken.add(line);
  }
  return matched;
}

/** 0 where they cannot be the same text; a shared place counts more than the same words elsewhere. */
function likeness(track: Track, line: Line): number {
  const shared = overlap(track.quad, line.quad);
  const samePlace = shared >= SAME_PLACE.overlap;
  if (!samePlace && Math.min(track.text.length, line.text.length) < ELSEWHERE.length) return 0;
  const similarity = textSimilarity(track.text, line.text);
  if (samePlace && similarity >= SAME_PLACE.similarity) return 1 + shared + similarity;
  return similarity >= ELSEWHERE.similarity ? similarity : 0;
}

function update(track: Track, line: Line): void {
  track.goneMs = null;
  track.quad = line.quad;
  if (line.confidence <= track.confidence) return;
  track.text = line.text;
  track.confidence = line.confidence;
}
