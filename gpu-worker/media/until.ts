/** The end of a stretch of a medium: what lies behind it is neither read nor given out. */
import { AV_NOPTS_VALUE } from 'node-av/constants';
import type { Packet, Stream } from 'node-av/lib';
import { type PcmChunk, sampleRate } from './pcm.ts';
import type { DueFrame } from './video-track.ts';

/** What lies before `toMs`; a chunk of sound is cut there. */
export async function* before<Item extends DueFrame | PcmChunk>(
  toMs: number,
  items: AsyncGenerator<Item>,
): AsyncGenerator<DueFrame | PcmChunk> {
  for await (const item of items) {
    if (item.type === 'frame') {
      if (item.frame.tMs < toMs) yield item;
    } else {
      const samples = item.samples.subarray(0, Math.max(0, ((toMs - item.startMs) * sampleRate) / 1000));
      if (samples.length > 0) yield { ...item, samples };
    }
  }
}

/** Streams lie side by side in a file, but not exactly: sound may come so much later than its pictures. */
export const apartMs = 10_000;

/**
 * Tells of each packet whether it lies behind `toMs`: `no`; `yes`; or `all` where nothing follows any
 * more that does not. By the time of decoding: what is decoded later is neither shown before nor needed
 * for it.
 */
export function pastOf(
  streams: readonly Stream[],
  originMs: number,
  toMs: number,
): (packet: Packet) => 'no' | 'yes' | 'all' {
  const open = new Set(streams.map((stream) => stream.index));
  const bases = new Map(streams.map((stream) => [stream.index, stream.timeBase]));
  return ({ dts, streamIndex }) => {
    const base = bases.get(streamIndex);
    if (!base || dts === AV_NOPTS_VALUE) return 'no';
    const tMs = (Number(dts) * 1000 * base.num) / base.den - originMs;
    if (tMs < toMs) return 'no';
    open.delete(streamIndex);
    return open.size === 0 || tMs >= toMs + apartMs ? 'all' : 'yes';
  };
}
