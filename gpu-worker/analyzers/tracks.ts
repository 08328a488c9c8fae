/**
 * Follows things through the frames of a film: what is found in one frame is linked to the
 * track it continues, or begins a new one.
 *
 * A track is *decided* once it was seen twice, or once with enough confidence; what
 * flickers up once and weakly is never shown. Only decided tracks leave the tracker, part
 * by part in the order of time: `finalUntil` says up to when nothing can change any more,
 * `take` hands out what came before. A track that lasts longer keeps its id over the parts,
 * and also over a resume elsewhere.
 */
import type { Box } from '../../functions/core/results/rows.ts';

/** One thing in one frame. */
export interface Sighting {
  tMs: number;
  box: Box;
  confidence: number;
}

export interface Track<S extends Sighting> {
  /** Prefix and number, such as `t1`. */
  id: string;
  last: S;
  count: number;
  /** The highest of all its sightings. */
  confidence: number;
  /** Those not taken yet. */
  sightings: S[];
}

/** What of a track lies in one part; never empty. */
export interface TrackPart<S extends Sighting> {
  track: Track<S>;
  startMs: number;
  endMs: number;
  sightings: S[];
}

export interface TrackerOptions<S extends Sighting> {
  prefix: string;
  /** How well a sighting continues a track that was seen last as `last`; 0 where it does not. */
  affinity: (last: S, next: S) => number;
  /** A track not seen for longer than this has ended. */
  maxGapMs: number;
  /** What one sighting stands for: the time between two frames. 0 for a still picture. */
  sightingMs: number;
  /** One sighting as sure as this makes a track decided. */
  sureConfidence: number;
  /** Tracks saved before, of which those seen lately may go on; several of one id are its parts. */
  resumed: readonly Track<S>[];
}

export class Tracker<S extends Sighting> {
  #options: TrackerOptions<S>;
  #tracks: Track<S>[];
  #lastNumber: number;

  constructor(options: TrackerOptions<S>) {
    this.#options = options;
    const latest = options.resumed.toSorted((a, b) => a.last.tMs - b.last.tMs);
    this.#tracks = [...new Map(latest.map((track) => [track.id, track])).values()];
    this.#lastNumber = Math.max(
      0,
      ...options.resumed.map((track) => Number(track.id.slice(options.prefix.length))),
    );
  }

  /** Takes in one frame, and says to which track each sighting went. Frames come in the order of time. */
  add(tMs: number, sightings: readonly S[]): Map<S, Track<S>> {
    const live = this.#tracks.filter((track) => this.#isLive(track, tMs));
    const found = new Map<S, Track<S>>();
    for (const { track, sighting } of bestPairs(live, sightings, this.#options.affinity)) {
      track.last = sighting;
      track.count++;
      track.confidence = Math.max(track.confidence, sighting.confidence);
      track.sightings.push(sighting);
      found.set(sighting, track);
    }
    for (const sighting of sightings) {
      if (found.has(sighting)) continue;
      const track: Track<S> = {
        id: `${this.#options.prefix}${++this.#lastNumber}`,
        last: sighting,
        count: 1,
        confidence: sighting.confidence,
        sightings: [sighting],
      };
      this.#tracks.push(track);
      found.set(sighting, track);
    }
    return found;
  }

  /** The latest time up to `nowMs` before which everything is decided. */
  finalUntil(nowMs: number): number {
    const undecided = this.#tracks.filter((track) => !this.#isDecided(track) && this.#isLive(track, nowMs));
    return Math.min(nowMs, ...undecided.map((track) => track.sightings[0]!.tMs));
  }

  /** Hands out, once, what came before `toMs`; that must be at most `finalUntil`. */
  take(toMs: number): TrackPart<S>[] {
    const parts: TrackPart<S>[] = [];
    for (const track of this.#tracks) {
      if (!this.#isDecided(track)) continue;
      const sightings = track.sightings.filter((sighting) => sighting.tMs < toMs);
      track.sightings = track.sightings.slice(sightings.length);
      const first = sightings[0];
      if (!first) continue;
      const endMs = Math.min(sightings.at(-1)!.tMs + this.#options.sightingMs, toMs);
      parts.push({ track, startMs: first.tMs, endMs, sightings });
    }
    this.#tracks = this.#tracks.filter(
      (track) => this.#isLive(track, toMs) || (this.#isDecided(track) && track.sightings.length > 0),
    );
    return parts;
  }

  /** Hands out all that is left of a medium that lasts `durationMs`. */
  takeRest(durationMs: number): TrackPart<S>[] {
    const lastMs = Math.max(0, ...this.#tracks.map((track) => track.last.tMs));
    // A frame may stand at the very end, and a still picture is one frame of no duration.
    return this.take(Math.max(durationMs, lastMs + 1));
  }

  #isLive(track: Track<S>, tMs: number): boolean {
    return tMs - track.last.tMs <= this.#options.maxGapMs;
  }

  #isDecided(track: Track<S>): boolean {
    return track.count > 1 || track.confidence >= this.#options.sureConfidence;
  }
}

/** Each track and each sighting at most once, the best pairs first; equals in their order. */
function bestPairs<S extends Sighting>(
  tracks: readonly Track<S>[],
  sightings: readonly S[],
  affinity: (last: S, next: S) => number,
): { track: Track<S>; sighting: S }[] {
  const pairs = tracks
    .flatMap((track) =>
      sightings.map((sighting) => ({ track, sighting, affinity: affinity(track.last, sighting) })),
    )
    .filter((pair) => pair.affinity > 0)
    .sort((a, b) => b.affinity - a.affinity);
  const taken = new Set<unknown>();
  return pairs.filter(({ track, sighting }) => {
    if (taken.has(track) || taken.has(sighting)) return false;
    taken.add(track).add(sighting);
    return true;
  });
}
