/** A medium's sound track: packets in, 16 kHz mono samples out. */
import { FilterAPI } from 'node-av/api';
import type { Packet, Stream } from 'node-av/lib';
import { openDecoder } from './decoder.ts';
import { type PcmChunk, pcmRun, sampleRate } from './pcm.ts';

export interface AudioTrack {
  /** Null after the last packet. */
  decode(packet: Packet | null): AsyncGenerator<PcmChunk>;
  close(): void;
}

export async function openAudioTrack(
  stream: Stream,
  options: { fromMs: number; endMs: number; originMs: number },
): Promise<AudioTrack> {
  const decoder = await openDecoder(stream, { threads: 1, originMs: options.originMs });
  const run = pcmRun(options.fromMs, options.endMs);
  const filters = `aresample=${sampleRate},aformat=sample_fmts=flt:channel_layouts=mono`;
  const resampler = FilterAPI.create(filters, { threads: 1 });

  async function* resampled(): AsyncGenerator<PcmChunk> {
    for (;;) {
      const frame = await resampler.receive();
      if (!frame) return;
      try {
        // A copy: its own memory, aligned for float32.
        const bytes = Uint8Array.from(frame.toBuffer().subarray(0, frame.nbSamples * 4));
        const { num, den } = frame.timeBase;
        const tMs = (Number(frame.pts) * 1000 * num) / den - options.originMs;
        yield* run.push(new Float32Array(bytes.buffer), tMs);
      } finally {
        frame.free();
      }
    }
  }

  return {
    async *decode(packet) {
      for await (const { frame } of decoder.decode(packet)) {
        await resampler.process(frame);
        yield* resampled();
      }
      if (packet !== null) return;
      await resampler.process(null);
      yield* resampled();
      yield* run.end();
    },
    close() {
      decoder.close();
      resampler.close();
    },
  };
}
