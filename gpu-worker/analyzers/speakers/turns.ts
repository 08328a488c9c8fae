/**
 * Who speaks when within one stretch: turns, each of one voice. Pure.
 *
 * The windows' vectors are grouped (average linkage), which finds the voices of the stretch but
 * not their borders: a window that lies over a change is like both. So each fifth of a second is
 * then given to the voice that the windows around it sound most like, and changing voices has
 * a price, paid once a change, higher in the middle of speech than at a pause (Viterbi 1967).
 */
import { dot, normalised } from '../../../functions/core/results/embeddings.ts';
import { averageLinkage } from '../../../functions/core/results/persons.ts';
import type { VoiceWindow } from './encoder.ts';
import type { Interval } from './listener.ts';

export interface Turn extends Interval {
  /** Of length 1. */
  embedding: Float32Array;
}

/** Mean cosine of two groups of windows from which on they are one voice of a stretch. */
const SAME_VOICE = 0.74;
const SLOT_MS = 200;
/** In cosines summed over slots: about a second of clear speech of the other voice. */
const CHANGE_PRICE = 0.5;
const CHANGE_AT_PAUSE_PRICE = 0.15;
/** A turn goes on over pauses up to this. */
const LONGEST_PAUSE_MS = 500;

interface Slot extends Interval {
  windows: { window: VoiceWindow; weight: number }[];
  /** It does not follow the slot before. */
  isAfterPause: boolean;
}

/**
 * @param speech where somebody speaks, in order.
 * @param windows of it, in order. Speech without a window is nobody's.
 */
export function turnsOf(speech: readonly Interval[], windows: readonly VoiceWindow[]): Turn[] {
  const slots = speech.flatMap((interval) => slotsOf(interval, windows));
  if (slots.length === 0) return [];
  const voices = voicesOf(windows);
  const path = cheapestPath(slots, voices);
  const turns: (Interval & { voice: number })[] = [];
  for (const [index, { startMs, endMs }] of slots.entries()) {
    const voice = path[index]!;
    const last = turns.at(-1);
    if (last?.voice === voice && startMs - last.endMs <= LONGEST_PAUSE_MS) last.endMs = endMs;
    else turns.push({ startMs, endMs, voice });
  }
  return turns.map(({ startMs, endMs }) => ({
    ...{ startMs, endMs },
    embedding: embeddingOf({ startMs, endMs }, windows),
  }));
}

/** The mean vector of each voice in the stretch. */
function voicesOf(windows: readonly VoiceWindow[]): Float32Array[] {
  const similarity = windows.map((a) => Float32Array.from(windows, (b) => dot(a.embedding, b.embedding)));
  const groups = averageLinkage(similarity, SAME_VOICE).map((indices) => indices.map((i) => windows[i]!));
  // A window alone, among others that overlap it, lies over a change: it is like neither side.
  const voices = groups.filter((group) => group.length > 1 || !isOverlapped(group[0]!, windows));
  return (voices.length > 0 ? voices : groups).map((group) =>
    mean(group.map((window) => ({ window, weight: 1 }))),
  );
}

function isOverlapped(window: VoiceWindow, windows: readonly VoiceWindow[]): boolean {
  return windows.some((other) => other !== window && overlapMs(other, window) > 0);
}

function slotsOf(speech: Interval, windows: readonly VoiceWindow[]): Slot[] {
  const within = windows.filter((window) => overlapMs(window, speech) > 0);
  if (within.length === 0) return [];
  const count = Math.max(1, Math.round((speech.endMs - speech.startMs) / SLOT_MS));
  return Array.from({ length: count }, (_, index) => {
    const startMs = speech.startMs + index * SLOT_MS;
    const endMs = index === count - 1 ? speech.endMs : startMs + SLOT_MS;
    const middleMs = (startMs + endMs) / 2;
    const weighted = within.map((window) => ({ window, weight: nearness(window, middleMs) }));
    return {
      startMs,
      endMs,
      windows: weighted.filter(({ weight }) => weight > 0),
      isAfterPause: index === 0,
    };
  });
}

/** 1 in the middle of a window, falling to 0.05 at its ends, 0 outside. */
function nearness({ startMs, endMs }: Interval, tMs: number): number {
  if (tMs < startMs || tMs > endMs) return 0;
  const half = (endMs - startMs) / 2;
  return Math.max(0.05, 1 - Math.abs(tMs - startMs - half) / half);
}

/** For each slot the index of its voice. */
function cheapestPath(slots: readonly Slot[], voices: readonly Float32Array[]): number[] {
  let costs = voices.map(() => 0);
  const cameFrom: number[][] = [];
  for (const slot of slots) {
    const price = slot.isAfterPause ? CHANGE_AT_PAUSE_PRICE : CHANGE_PRICE;
    const cheapest = costs.indexOf(Math.min(...costs));
    const from = voices.map((_, voice) => (costs[cheapest]! + price < costs[voice]! ? cheapest : voice));
    costs = voices.map((voice, index) => {
      const before = from[index]!;
      return costs[before]! + (before === index ? 0 : price) - likeness(slot, voice);
    });
    cameFrom.push(from);
  }
  const path: number[] = [];
  let voice = costs.indexOf(Math.min(...costs));
  for (let index = slots.length - 1; index >= 0; index--) {
    path[index] = voice;
    voice = cameFrom[index]![voice]!;
  }
  return path;
}

function likeness({ windows }: Slot, voice: Float32Array): number {
  const total = windows.reduce((sum, { weight }) => sum + weight, 0);
  return windows.reduce((sum, { window, weight }) => sum + weight * dot(window.embedding, voice), 0) / total;
}

/** The mean of the windows that lie in the turn; of one too short for any, those that lie in it most. */
function embeddingOf(turn: Interval, windows: readonly VoiceWindow[]): Float32Array {
  const shares = windows.map((window) => ({
    window,
    weight: overlapMs(window, turn) / (window.endMs - window.startMs),
  }));
  const inside = shares.filter(({ weight }) => weight >= 0.9);
  if (inside.length > 0) return mean(inside);
  const most = Math.max(...shares.map(({ weight }) => weight));
  return mean(shares.filter(({ weight }) => weight === most));
}

function mean(windows: readonly { window: VoiceWindow; weight: number }[]): Float32Array {
  const sum = new Float32Array(windows[0]!.window.embedding.length);
  for (const { window, weight } of windows) {
    for (let i = 0; i < sum.length; i++) sum[i]! += window.embedding[i]! * weight;
  }
  return normalised(sum);
}

function overlapMs(a: Interval, b: Interval): number {
  return Math.max(0, Math.min(a.endMs, b.endMs) - Math.max(a.startMs, b.startMs));
}
