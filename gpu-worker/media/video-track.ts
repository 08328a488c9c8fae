/** A film's picture track: packets in, upright RGB frames of the sizes that are due out. */
import { FilterAPI } from 'node-av/api';
import type { Frame as AvFrame, Packet, Stream } from 'node-av/lib';
import type { Frame } from '../analyzers/analyzer.ts';
import { openDecoder } from './decoder.ts';
import { type FrameFeed, frameSampler } from './sampling.ts';
import { scaling, uprightSize, videoGeometry } from './streams.ts';

export interface DueFrame {
  type: 'frame';
  /** Indexes of the feeds that this frame is due for. */
  feeds: number[];
  frame: Frame;
}

export interface VideoTrack {
  /** Null after the last packet. */
  decode(packet: Packet | null): AsyncGenerator<DueFrame>;
  close(): void;
}

export async function openVideoTrack(
  stream: Stream,
  options: { feeds: readonly FrameFeed[]; originMs: number; threads: number },
): Promise<VideoTrack> {
  const { feeds } = options;
  const decoder = await openDecoder(stream, options);
  const geometry = videoGeometry(stream);
  const fullWidth = uprightSize(geometry).width;
  const due = frameSampler(feeds);
  const scalers = new Map<number, FilterAPI>();
  let lastMs = -1;

  async function scaled(frame: AvFrame, tMs: number, width: number): Promise<Frame | null> {
    let scaler = scalers.get(width);
    if (!scaler) {
      scaler = FilterAPI.create(scaling(geometry, width), { threads: 1 });
      scalers.set(width, scaler);
    }
    await scaler.process(frame);
    const picture = await scaler.receive();
    if (!picture) return null;
    try {
      return { tMs, width: picture.width, height: picture.height, data: picture.toBuffer() };
    } finally {
      picture.free();
    }
  }

  return {
    async *decode(packet) {
      for await (const { frame, tMs: exactMs } of decoder.decode(packet)) {
        const tMs = Math.round(exactMs);
        // What does not move forward in time is a leftover of a damaged place.
        if (tMs <= lastMs) continue;
        lastMs = tMs;
        // Each width straight from the decoded frame: measured cheaper than scaling in steps,
        // as large frames are due seldom and small ones often.
        const byWidth = Map.groupBy(due(tMs), (index) => Math.min(feeds[index]!.maxWidth, fullWidth));
        for (const [width, indexes] of byWidth) {
          const picture = await scaled(frame, tMs, width);
          if (picture) yield { type: 'frame', feeds: indexes, frame: picture };
        }
      }
    },
    close() {
      decoder.close();
      for (const scaler of scalers.values()) scaler.close();
    },
  };
}
