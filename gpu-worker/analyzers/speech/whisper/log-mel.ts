/**
 * What Whisper hears with: the log-mel spectrogram of 30 s of sound, 100 frames a second.
 *
 * As openai-whisper computes it (whisper/audio.py): frames of 400 samples every 160, each
 * centred on its time with the sound mirrored before its start, a periodic Hann window, power,
 * mel filters, log10, nothing lower than 8 below the highest, and scaled to about -1..1. Sound
 * shorter than 30 s is followed by silence.
 */
import { BINS, FRAME_SAMPLES, powerSpectra } from './fourier.ts';
import { type MelFilter, melFilters } from './mel-filters.ts';

export const WINDOW_SAMPLES = 480_000;
export const WINDOW_FRAMES = 3_000;
export const HOP_SAMPLES = 160;

const FLOOR = 1e-10;
const RANGE = 8;

const hann = Float64Array.from(
  { length: FRAME_SAMPLES },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / FRAME_SAMPLES),
);

const filtersOf = new Map<number, MelFilter[]>();

/**
 * The spectrogram of at most 30 s of 16 kHz mono sound in -1..1; what is longer is left out.
 * @returns `bands` rows of 3000 frames.
 */
export function logMel(sound: Float32Array, bands: number): Float32Array {
  const filters = filtersOf.get(bands) ?? melFilters(bands);
  filtersOf.set(bands, filters);
  const samples = sound.subarray(0, WINDOW_SAMPLES);
  const mel = new Float32Array(bands * WINDOW_FRAMES).fill(Math.log10(FLOOR));
  // Later frames hold nothing but the silence behind the sound.
  const frames = Math.min(WINDOW_FRAMES, Math.ceil((samples.length + FRAME_SAMPLES / 2) / HOP_SAMPLES));
  const [first, second] = [new Float64Array(FRAME_SAMPLES), new Float64Array(FRAME_SAMPLES)];
  const [power, nextPower] = [new Float64Array(BINS), new Float64Array(BINS)];
  let highest = Math.log10(FLOOR);
  for (let frame = 0; frame < frames; frame += 2) {
    cutFrame(samples, frame, first);
    cutFrame(samples, frame + 1, second);
    powerSpectra(first, second, power, nextPower);
    highest = Math.max(highest, writeBands(filters, power, mel, frame));
    if (frame + 1 < frames) highest = Math.max(highest, writeBands(filters, nextPower, mel, frame + 1));
  }
  for (let i = 0; i < mel.length; i++) mel[i] = (Math.max(mel[i]!, highest - RANGE) + 4) / 4;
  return mel;
}

/** The windowed samples around a frame's time; the sound is mirrored at both ends of the 30 s. */
function cutFrame(samples: Float32Array, frame: number, into: Float64Array): void {
  const startAt = frame * HOP_SAMPLES - FRAME_SAMPLES / 2;
  for (let i = 0; i < FRAME_SAMPLES; i++) {
    let at = Math.abs(startAt + i);
    if (at >= WINDOW_SAMPLES) at = 2 * (WINDOW_SAMPLES - 1) - at;
    into[i] = (samples[at] ?? 0) * hann[i]!;
  }
}

/** Writes one frame's column; returns its highest value. */
function writeBands(filters: MelFilter[], power: Float64Array, mel: Float32Array, frame: number): number {
  let highest = Math.log10(FLOOR);
  for (const [band, { firstBin, weights }] of filters.entries()) {
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += weights[i]! * power[firstBin + i]!;
    const value = Math.log10(Math.max(sum, FLOOR));
    mel[band * WINDOW_FRAMES + frame] = value;
    if (value > highest) highest = value;
  }
  return highest;
}
