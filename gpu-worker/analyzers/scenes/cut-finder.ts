/**
 * Finds the cuts in a run of pictures, a quarter of a second behind the newest.
 *
 * A cut is a change that is large, stands out from the changes around it, and lasts:
 *  - large and standing out: as in PySceneDetect's AdaptiveDetector
 *    (https://www.scenedetect.com/docs/latest/api/detectors.html), a pan or a shaking hand
 *    changes every picture alike and is no cut, whatever its speed;
 *  - lasting: where a picture soon after looks like one shortly before, something only
 *    flashed (a camera's flash, a dropped picture);
 *  - black pictures belong to the shot before them; where they last, the picture that comes
 *    after opens a scene, whether it fades in or not.
 * Shots that dissolve into each other are not told apart.
 */
import { distance, type Signature } from './signature.ts';

/** Below this distance two pictures may be of one shot. */
const minDistance = 0.06;
/** So many times the mean change of its two neighbours on each side. */
const minRatio = 3;
const neighbours = 2;
/** Neighbours farther away than this tell nothing about movement. */
const neighbourhoodMs = 500;
/** What flashes is gone after this time; also how far the finder is behind. */
const lookAheadMs = 250;
/** After a flash or a few pictures in between, another cut so soon is part of the same one. */
const minSceneMs = 300;
/** Dips into black that are shorter may be within one shot. */
const minBlackMs = 200;

export interface Cut {
  /** Time of the first picture of the new scene. */
  tMs: number;
  /** 0 for the weakest change that counts, towards 1 for a complete one. */
  score: number;
}

interface Picture {
  tMs: number;
  signature: Signature;
  /** From the picture before. */
  change: number;
  isBlack: boolean;
}

export interface CutFinder {
  /** Takes the next picture; what is said about those before it. */
  push(tMs: number, signature: Signature): Decision[];
  /** The rest, after the last picture. */
  end(): Decision[];
}

/** Whether the picture at this time opens a scene. One for each picture, in their order. */
export interface Decision {
  tMs: number;
  cut: Cut | null;
}

export function cutFinder(): CutFinder {
  /** Decided ones as far back as flashes are looked for, then the undecided. */
  const pictures: Picture[] = [];
  let decided = 0;
  let lastCutMs = Number.NEGATIVE_INFINITY;
  /** The last picture before a run of black ones, and when that began. */
  let beforeBlack: Signature | null = null;
  let blackSinceMs: number | null = null;

  function decide(index: number): Cut | null {
    const picture = pictures[index]!;
    const previous = pictures[index - 1];
    if (picture.isBlack) {
      blackSinceMs ??= picture.tMs;
      if (previous && !previous.isBlack) beforeBlack = previous.signature;
      return null;
    }
    if (blackSinceMs !== null) {
      const lastedMs = picture.tMs - blackSinceMs;
      const settled = pictures.at(-1)!.signature;
      const before = beforeBlack;
      blackSinceMs = null;
      beforeBlack = null;
      // Black from the film's start on opens nothing.
      if (!before) return null;
      const change = distance(before, settled);
      if (lastedMs < minBlackMs && change < minDistance) return null;
      return { tMs: picture.tMs, score: scoreOf(change) };
    }
    const isCut =
      picture.change >= minDistance &&
      picture.change >= minRatio * meanChangeAround(index) &&
      picture.tMs - lastCutMs >= minSceneMs &&
      !isFlash(index);
    return isCut ? { tMs: picture.tMs, score: scoreOf(picture.change) } : null;
  }

  function meanChangeAround(index: number): number {
    let sum = 0;
    for (let at = index - neighbours; at <= index + neighbours; at++) {
      const picture = pictures[at];
      if (at === index || !picture) continue;
      if (Math.abs(picture.tMs - pictures[index]!.tMs) <= neighbourhoodMs) sum += picture.change;
    }
    return sum / (2 * neighbours);
  }

  function isFlash(index: number): boolean {
    const { tMs, change } = pictures[index]!;
    const alike = Math.max(minDistance, change * 0.2);
    const before = pictures.slice(0, index).filter((picture) => picture.tMs >= tMs - lookAheadMs);
    const after = pictures.slice(index).filter((picture) => picture.tMs <= tMs + lookAheadMs);
    return before.some((a) => after.some((b) => distance(a.signature, b.signature) < alike));
  }

  function advance(untilMs: number): Decision[] {
    const decisions: Decision[] = [];
    for (; decided < pictures.length && pictures[decided]!.tMs <= untilMs; decided++) {
      const cut = decide(decided);
      if (cut) lastCutMs = cut.tMs;
      decisions.push({ tMs: pictures[decided]!.tMs, cut });
    }
    const next = pictures[decided] ?? pictures.at(-1);
    while (next && decided > neighbours && pictures[0]!.tMs < next.tMs - 2 * neighbourhoodMs) {
      pictures.shift();
      decided--;
    }
    return decisions;
  }

  return {
    push(tMs, signature) {
      const previous = pictures.at(-1);
      pictures.push({
        tMs,
        signature,
        change: previous ? distance(previous.signature, signature) : 0,
        isBlack: signature.brightness < 0.08 && signature.contrast < 0.03,
      });
      return advance(tMs - lookAheadMs);
    },
    end: () => advance(Number.POSITIVE_INFINITY),
  };
}

const scoreOf = (change: number) => Math.max(0, 1 - minDistance / Math.max(change, minDistance));
