/**
 * The mel filters: how much each of the 201 frequency bins counts for each mel band.
 *
 * Slaney's mel scale (linear below 1 kHz, logarithmic above) with triangles of equal area, as
 * `librosa.filters.mel(sr=16000, n_fft=400)` makes them and openai-whisper ships them.
 * Source: https://librosa.org/doc/main/generated/librosa.filters.mel.html
 */
import { BINS } from './fourier.ts';

const SAMPLE_RATE = 16_000;
const LINEAR_HZ = 200 / 3;
const BREAK_HZ = 1_000;
const BREAK_MEL = BREAK_HZ / LINEAR_HZ;
const LOG_STEP = Math.log(6.4) / 27;

/** One band: its weights for the bins from `firstBin` on. */
export interface MelFilter {
  firstBin: number;
  weights: Float64Array;
}

const toMel = (hz: number) =>
  hz < BREAK_HZ ? hz / LINEAR_HZ : BREAK_MEL + Math.log(hz / BREAK_HZ) / LOG_STEP;
const toHz = (mel: number) =>
  mel < BREAK_MEL ? mel * LINEAR_HZ : BREAK_HZ * Math.exp((mel - BREAK_MEL) * LOG_STEP);

/** `bands` overlapping triangles from 0 Hz to 8 kHz, evenly spaced on the mel scale. */
export function melFilters(bands: number): MelFilter[] {
  const highest = toMel(SAMPLE_RATE / 2);
  const edges = Array.from({ length: bands + 2 }, (_, i) => toHz((highest * i) / (bands + 1)));
  const binHz = SAMPLE_RATE / 2 / (BINS - 1);
  return Array.from({ length: bands }, (_, band) => {
    const [low, peak, high] = [edges[band]!, edges[band + 1]!, edges[band + 2]!];
    const all = Array.from({ length: BINS }, (_, bin) => {
      const rising = (bin * binHz - low) / (peak - low);
      const falling = (high - bin * binHz) / (high - peak);
      return (Math.max(0, Math.min(rising, falling)) * 2) / (high - low);
    });
    const firstBin = Math.max(
      0,
      all.findIndex((weight) => weight > 0),
    );
    const end = all.findLastIndex((weight) => weight > 0) + 1;
    return { firstBin, weights: Float64Array.from(all.slice(firstBin, end)) };
  });
}
