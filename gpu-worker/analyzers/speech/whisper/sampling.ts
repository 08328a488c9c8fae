/**
 * Picks the next token: the likeliest one, or at a temperature above 0 one at random, the less
 * likely the rarer. The same seed gives the same choices, so a resumed job writes the same words.
 */

export interface Pick {
  token: number;
  /** Natural logarithm of its probability at temperature 1. */
  logProbability: number;
}

/** @param random gives numbers in [0, 1); only asked at temperatures above 0. */
export function pickToken(logits: Float32Array, temperature: number, random: () => number): Pick {
  const best = argmax(logits);
  const highest = logits[best]!;
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += Math.exp(logits[i]! - highest);
  const token = temperature > 0 ? draw(logits, highest, temperature, random()) : best;
  return { token, logProbability: logits[token]! - highest - Math.log(total) };
}

function argmax(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

function draw(logits: Float32Array, highest: number, temperature: number, random: number): number {
  const weight = (i: number) => Math.exp((logits[i]! - highest) / temperature);
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += weight(i);
  let left = random * total;
  let last = 0;
  for (let i = 0; i < logits.length; i++) {
    const own = weight(i);
    if (own === 0) continue;
    last = i;
    left -= own;
    if (left < 0) return i;
  }
  return last;
}

/** The generator mulberry32: numbers in [0, 1) that follow from the seed alone. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
