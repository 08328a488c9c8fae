/** Where to cut speech that has no pause: where it is least loud, which is between words or in a closed consonant. */

/** Steps that are judged together: a gap between words lasts about a tenth of a second. */
const STEPS = 3;

/**
 * @param step samples, of which the result is a multiple.
 * @returns the middle of the quietest stretch of three steps; 0 where there are not so many.
 */
export function quietestAt(samples: Float32Array, step: number): number {
  const energies = Array.from({ length: Math.floor(samples.length / step) }, (_, i) =>
    samples.subarray(i * step, (i + 1) * step).reduce((sum, value) => sum + value * value, 0),
  );
  let quietest = { at: 0, energy: Number.POSITIVE_INFINITY };
  for (let i = 0; i + STEPS <= energies.length; i++) {
    const energy = energies.slice(i, i + STEPS).reduce((sum, value) => sum + value, 0);
    if (energy < quietest.energy) quietest = { at: (i + STEPS / 2) * step, energy };
  }
  return quietest.at - (quietest.at % step);
}
