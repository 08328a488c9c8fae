/**
 * Makes one unbroken run of samples out of what a decoder gives.
 *
 * Decoded sound carries its own times. Where they leap (packets lost, films put together) the
 * samples are moved with them: silence for what is missing, nothing for what comes twice. So
 * the time of a sample is its number, and words are found where they are spoken.
 */
export const sampleRate = 16_000;
const samplesPerMs = sampleRate / 1000;

/** Half a second a chunk: few calls, little delay. */
const chunkSamples = sampleRate / 2;
/** Times in containers are rough; below this they are not followed. */
const toleranceSamples = sampleRate / 10;

export interface PcmChunk {
  type: 'pcm';
  samples: Float32Array;
  /** Time of the first sample; a whole number. */
  startMs: number;
}

export interface PcmRun {
  /** `tMs` is the time of the first of these samples, as its container says. */
  push(samples: Float32Array, tMs: number): Generator<PcmChunk>;
  /** The rest, shorter than a chunk. */
  end(): Generator<PcmChunk>;
}

/** Nothing before `fromMs` comes out, nor more silence than there is up to `endMs`. */
export function pcmRun(fromMs: number, endMs: number): PcmRun {
  const firstSample = Math.round(fromMs) * samplesPerMs;
  const endSample = Math.max(endMs * samplesPerMs, firstSample);
  /** Number of the next sample expected; null before the first. */
  let next: number | null = null;
  let chunk = new Float32Array(chunkSamples);
  let filled = 0;
  let chunkStart = 0;

  function* append(samples: Float32Array | number): Generator<PcmChunk> {
    const count = typeof samples === 'number' ? samples : samples.length;
    for (let done = 0; done < count; ) {
      const step = Math.min(count - done, chunkSamples - filled);
      if (typeof samples !== 'number') chunk.set(samples.subarray(done, done + step), filled);
      done += step;
      filled += step;
      if (filled < chunkSamples) return;
      yield { type: 'pcm', samples: chunk, startMs: chunkStart / samplesPerMs };
      chunkStart += chunkSamples;
      chunk = new Float32Array(chunkSamples);
      filled = 0;
    }
  }

  return {
    *push(samples, tMs) {
      const start = Math.round(tMs * samplesPerMs);
      if (next === null) {
        // Begins on a whole millisecond, not before `fromMs`.
        const wanted = Math.max(firstSample, Math.ceil(start / samplesPerMs) * samplesPerMs);
        if (start + samples.length <= wanted) return;
        next = wanted;
        chunkStart = wanted;
        yield* append(samples.subarray(wanted - start));
        next += start + samples.length - wanted;
        return;
      }
      const leap = start - next;
      if (leap > toleranceSamples) {
        const silence = Math.max(0, Math.min(leap, endSample - next));
        yield* append(silence);
        next += silence;
      }
      const repeated = leap < -toleranceSamples ? Math.min(-leap, samples.length) : 0;
      yield* append(samples.subarray(repeated));
      next += samples.length - repeated;
    },
    *end() {
      if (filled > 0) {
        yield { type: 'pcm', samples: chunk.slice(0, filled), startMs: chunkStart / samplesPerMs };
      }
      filled = 0;
    },
  };
}
