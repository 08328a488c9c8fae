/**
 * K-weighting: how the ear weighs frequencies, as ITU-R BS.1770-5 (annex 1) has it: a shelf that lifts
 * what lies above 2 kHz by 4 dB, for the head, and a high-pass at 38 Hz.
 *
 * The standard gives coefficients for 48 kHz only and asks for the same response at other rates. They
 * are made anew here from the analogue filters behind them, by the bilinear transform. The values of
 * those are the ones that give the standard's tables at 48 kHz to all their digits: B. De Man, "Evaluation
 * of implementations of the EBU R128 loudness measurement" (AES 145, 2018); libebur128 and FFmpeg's
 * `ebur128` have them too. From 20 Hz to 8 kHz the response at 16 kHz is that at 48 kHz within 0.07 dB.
 */

/** Of y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]. */
export interface Biquad {
  b: [number, number, number];
  a: [number, number];
}

const shelf = { hz: 1681.974450955533, gainDb: 3.999843853973347, q: 0.7071752369554196 };
const highPass = { hz: 38.13547087602444, q: 0.5003270373238773 };

export function shelfAt(sampleRate: number): Biquad {
  const k = Math.tan((Math.PI * shelf.hz) / sampleRate);
  const high = 10 ** (shelf.gainDb / 20);
  const band = high ** 0.4996667741545416;
  const { q } = shelf;
  const a0 = 1 + k / q + k * k;
  return {
    b: [
      (high + (band * k) / q + k * k) / a0,
      (2 * (k * k - high)) / a0,
      (high - (band * k) / q + k * k) / a0,
    ],
    a: [(2 * (k * k - 1)) / a0, (1 - k / q + k * k) / a0],
  };
}

/**
 * The standard's numerator, 1 -2 1, lifts all that passes, by an amount that depends on the rate:
 * 0.04 dB at 48 kHz. It is kept at that here; the plain numerator would be 0.09 dB too loud at 16 kHz.
 */
export function highPassAt(sampleRate: number): Biquad {
  const { q } = highPass;
  const denominator = (rate: number) => {
    const k = Math.tan((Math.PI * highPass.hz) / rate);
    return { k, a0: 1 + k / q + k * k };
  };
  const { k, a0 } = denominator(sampleRate);
  const gain = denominator(48_000).a0 / a0;
  return { b: [gain, -2 * gain, gain], a: [(2 * (k * k - 1)) / a0, (1 - k / q + k * k) / a0] };
}

/** Louder than any sound is; what lies above, or is no number, is a damaged sample and counts as 0. */
const loudestSample = 64;
/** In silence the filters' state dwindles to numbers so small that processors become slow: it ends before. */
const atRest = (state: number) => (Math.abs(state) < 1e-30 ? 0 : state);

/** Both filters, one after the other, over a run of samples. */
export class KWeighting {
  readonly #shelf: Biquad;
  readonly #highPass: Biquad;
  /** Two for each filter (transposed direct form II). */
  #state: [number, number, number, number] = [0, 0, 0, 0];

  constructor(sampleRate: number) {
    this.#shelf = shelfAt(sampleRate);
    this.#highPass = highPassAt(sampleRate);
  }

  /** The sum of squares of what samples [from, to) become. */
  energyOf(samples: Float32Array, from: number, to: number): number {
    const [b0, b1, b2] = this.#shelf.b;
    const [a1, a2] = this.#shelf.a;
    const [d0, d1, d2] = this.#highPass.b;
    const [c1, c2] = this.#highPass.a;
    let [s1, s2, t1, t2] = this.#state;
    let energy = 0;
    for (let i = from; i < to; i++) {
      const sample = samples[i]!;
      const x = Math.abs(sample) <= loudestSample ? sample : 0;
      const y = b0 * x + s1;
      s1 = b1 * x - a1 * y + s2;
      s2 = b2 * x - a2 * y;
      const z = d0 * y + t1;
      t1 = d1 * y - c1 * z + t2;
      t2 = d2 * y - c2 * z;
      energy += z * z;
    }
    this.#state = [atRest(s1), atRest(s2), atRest(t1), atRest(t2)];
    return energy;
  }
}
