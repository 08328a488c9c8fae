/** Which of a film's frames are due for whom. */

/** What one taker of frames asks for. */
export interface FrameFeed {
  /** At most this many a second; 0 = every frame. */
  fps: number;
  /** Scaled down to at most this many pixels wide. */
  maxWidth: number;
  /** Nothing before this time. */
  fromMs: number;
}

/**
 * Tells for each frame, in the order of time, which feeds it is due for: the first frame in
 * each slot of 1/fps seconds. The slots are counted from the film's start, so that a film
 * read from its middle gives the same frames as one read whole, and films of varying frame
 * rate need no rule of their own.
 */
export function frameSampler(feeds: readonly FrameFeed[]): (tMs: number) => number[] {
  const lastSlots = feeds.map(() => Number.NEGATIVE_INFINITY);
  return (tMs) => {
    const due: number[] = [];
    for (const [index, feed] of feeds.entries()) {
      if (tMs < feed.fromMs) continue;
      // A frame's time is rounded to the millisecond: without the half, 25 a second of a
      // film of 25 would lose frames whose time was rounded down below their slot.
      const slot = feed.fps === 0 ? tMs : Math.floor(((tMs + 0.5) * feed.fps) / 1000);
      if (slot === lastSlots[index]) continue;
      lastSlots[index] = slot;
      due.push(index);
    }
    return due;
  };
}
