/**
 * Where in the sound each token was heard. Some of the decoder's attention heads look at the place
 * in the sound that the token comes from; the cheapest path through what they looked at, that
 * goes back neither in text nor in time, is the alignment (dynamic time warping).
 *
 * As in https://github.com/openai/whisper/blob/main/whisper/timing.py
 */

const MEDIAN_WIDTH = 7;

/** Attention, as [heads, tokens, frames] one after the other; frames are 20 ms each. */
export interface Attention {
  data: Float32Array;
  heads: number;
  tokens: number;
  frames: number;
}

/**
 * How well each token fits each frame: the mean of the heads, each scaled to the same spread over
 * the tokens and smoothed over time. Only the first `used` frames hold sound.
 * @returns rows of `used` values, one for each token.
 */
export function fitOf({ data, heads, tokens, frames }: Attention, used: number): Float64Array[] {
  const fit = Array.from({ length: tokens }, () => new Float64Array(used));
  for (let head = 0; head < heads; head++) {
    const rows = Array.from({ length: tokens }, (_, token) => {
      const at = (head * tokens + token) * frames;
      return shares(data.subarray(at, at + used));
    });
    scaleColumns(rows, used);
    for (const [token, row] of rows.entries()) {
      const smooth = medianFilter(row);
      for (let frame = 0; frame < used; frame++) fit[token]![frame]! += smooth[frame]! / heads;
    }
  }
  return fit;
}

/** Attention that the silence behind the sound got goes to the sound. */
function shares(row: Float32Array): Float64Array {
  const sum = row.reduce((total, value) => total + value, 0);
  return Float64Array.from(row, (value) => value / Math.max(sum, Number.MIN_VALUE));
}

/** Scales the values of each frame to the mean 0 and the standard deviation 1. */
function scaleColumns(rows: Float64Array[], columns: number): void {
  for (let column = 0; column < columns; column++) {
    let sum = 0;
    let squares = 0;
    for (const row of rows) sum += row[column]!;
    const mean = sum / rows.length;
    for (const row of rows) squares += (row[column]! - mean) ** 2;
    const deviation = Math.sqrt(squares / rows.length);
    for (const row of rows) row[column] = deviation > 0 ? (row[column]! - mean) / deviation : 0;
  }
}

/** The median of seven neighbours, mirrored at both ends; shorter than that a row stays as it is. */
export function medianFilter(row: Float64Array): Float64Array {
  const half = MEDIAN_WIDTH >> 1;
  if (row.length <= half) return row;
  const window = new Float64Array(MEDIAN_WIDTH);
  return row.map((_, i) => {
    for (let k = -half; k <= half; k++) {
      let at = Math.abs(i + k);
      if (at >= row.length) at = 2 * (row.length - 1) - at;
      window[k + half] = row[at]!;
    }
    return window.sort()[half]!;
  });
}

/** Which way a place of the path is come from. */
const BOTH = 0;
const TOKEN = 1;
const FRAME = 2;

/**
 * The frame at which each row begins on the best path from the first row and frame to the last.
 * @param fit rows of equal length, higher where they fit better.
 */
export function warp(fit: readonly Float64Array[]): number[] {
  const [rows, columns] = [fit.length, fit[0]?.length ?? 0];
  const moves = Array.from({ length: rows + 1 }, () => new Uint8Array(columns + 1));
  let above = new Float64Array(columns + 1).fill(Number.POSITIVE_INFINITY);
  above[0] = 0;
  for (let i = 1; i <= rows; i++) {
    const costs = new Float64Array(columns + 1).fill(Number.POSITIVE_INFINITY);
    for (let j = 1; j <= columns; j++) {
      const [both, token, frame] = [above[j - 1]!, above[j]!, costs[j - 1]!];
      let move = FRAME;
      if (both < token && both < frame) move = BOTH;
      else if (token < both && token < frame) move = TOKEN;
      moves[i]![j] = move;
      costs[j] = Math.min(both, token, frame) - fit[i - 1]![j - 1]!;
    }
    above = costs;
  }
  const begins = new Array<number>(rows).fill(0);
  for (let i = rows, j = columns; i > 0 && j > 0; ) {
    begins[i - 1] = j - 1;
    const move = moves[i]![j]!;
    if (move !== FRAME) i--;
    if (move !== TOKEN) j--;
  }
  return begins;
}
