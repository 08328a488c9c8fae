/** Rectangles as fractions of the picture: how much they overlap, and which of several to keep. */
import type { Box, Point } from './rows.ts';

/** The rectangle between two corners, cut to the picture. */
export function boxBetween(left: number, top: number, right: number, bottom: number): Box {
  const x = clamp(left);
  const y = clamp(top);
  return { x, y, w: clamp(right) - x, h: clamp(bottom) - y };
}

/** Intersection over union, 0..1. */
export function iou(a: Box, b: Box): number {
  const width = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x);
  const height = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const shared = width * height;
  return shared / (a.w * a.h + b.w * b.h - shared);
}

export function centre({ x, y, w, h }: Box): Point {
  return [x + w / 2, y + h / 2];
}

export function isInside([x, y]: Point, box: Box): boolean {
  return x >= box.x && x <= box.x + box.w && y >= box.y && y <= box.y + box.h;
}

/**
 * Non-maximum suppression: from the most confident on, keeps what `repeats` nothing kept
 * before it. Sorted by confidence, highest first; equals stay in their order.
 */
export function suppress<D extends { confidence: number }>(
  detections: readonly D[],
  repeats: (kept: D, candidate: D) => boolean,
): D[] {
  const kept: D[] = [];
  for (const candidate of detections.toSorted((a, b) => b.confidence - a.confidence)) {
    if (!kept.some((one) => repeats(one, candidate))) kept.push(candidate);
  }
  return kept;
}

/** To four decimals, a third of a pixel of 4K: what is saved need not be longer. */
export function roundBox({ x, y, w, h }: Box): Box {
  return { x: round(x), y: round(y), w: round(w), h: round(h) };
}

export function roundPoint([x, y]: Point): Point {
  return [round(clamp(x)), round(clamp(y))];
}

export function round(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
