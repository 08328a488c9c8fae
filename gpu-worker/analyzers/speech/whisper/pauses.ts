/**
 * A pause between two words is given to one of them by the alignment, mostly to the later one: it then
 * begins up to a second before it is heard, or with the last sound of the word before. The sound itself
 * tells where it is.
 */
const SAMPLES_PER_SECOND = 16_000;
const FRAME = 320;
/** Of the loudest frame of the word: 20 dB below it nothing of the word is heard. */
const QUIET = 0.1;
/** 200 ms: the silence inside a word, before a p or a t, is shorter. */
const PAUSE_FRAMES = 10;

interface Timed {
  start: number;
  end: number;
}

/** Frames [from, to) that are heard, with pauses before and after them. */
interface Run {
  from: number;
  to: number;
  loudness: number;
}

/**
 * What of a word is heard: the loudest stretch of it without a pause.
 *
 * @param word in seconds from the start of `sound`. @param sound 16 kHz, mono.
 */
export function withoutPauses({ start, end }: Timed, sound: Float32Array): Timed {
  const from = Math.floor((start * SAMPLES_PER_SECOND) / FRAME);
  const to = Math.min(Math.ceil((end * SAMPLES_PER_SECOND) / FRAME), Math.floor(sound.length / FRAME));
  const runs = runsOf(
    Array.from({ length: Math.max(0, to - from) }, (_, i) => level(sound, (from + i) * FRAME)),
  );
  if (runs.length === 0) return { start, end };
  const word = runs.reduce((loudest, run) => (run.loudness > loudest.loudness ? run : loudest));
  const seconds = (frame: number) => ((from + frame) * FRAME) / SAMPLES_PER_SECOND;
  return { start: Math.max(start, seconds(word.from)), end: Math.min(end, seconds(word.to)) };
}

function runsOf(levels: readonly number[]): Run[] {
  const threshold = QUIET * Math.max(...levels);
  const runs: Run[] = [];
  for (const [i, loudness] of levels.entries()) {
    if (loudness === 0 || loudness < threshold) continue;
    const last = runs.at(-1);
    if (last && i - last.to < PAUSE_FRAMES) {
      last.to = i + 1;
      last.loudness += loudness;
    } else runs.push({ from: i, to: i + 1, loudness });
  }
  return runs;
}

function level(sound: Float32Array, at: number): number {
  let sum = 0;
  for (let i = at; i < at + FRAME; i++) sum += sound[i]! * sound[i]!;
  return Math.sqrt(sum / FRAME);
}
