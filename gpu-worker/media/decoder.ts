/** One stream's decoder: packets in, FFmpeg's frames out. */
import { AV_NOPTS_VALUE } from 'node-av/constants';
import { Codec, CodecContext, Dictionary, FFmpegError, Frame, type Packet, type Stream } from 'node-av/lib';
import { MediaError } from './errors.ts';
import { limits } from './limits.ts';

export interface StreamDecoder {
  /**
   * The frames that a packet completes, each with its time; null after the last packet. The
   * frame is reused: it is valid until the next one is asked for. A damaged packet gives
   * fewer frames, not an error.
   */
  decode(packet: Packet | null): AsyncGenerator<{ frame: Frame; tMs: number }>;
  close(): void;
}

/** `originMs` is the time in the container that becomes 0. Throws a MediaError for unknown codecs. */
export async function openDecoder(
  stream: Stream,
  options: { threads: number; originMs: number },
): Promise<StreamDecoder> {
  const codec = Codec.findDecoder(stream.codecpar.codecId);
  if (!codec) {
    throw new MediaError('unsupported_media', 'The file is in a coding for which there is no decoder.');
  }
  const context = new CodecContext();
  context.allocContext3(codec);
  FFmpegError.throwIfError(context.parametersToContext(stream.codecpar), 'codec parameters');
  context.pktTimebase = stream.timeBase;
  context.threadCount = options.threads;
  const opened = await context.open2(codec, Dictionary.fromObject({ max_pixels: `${limits.videoPixels}` }));
  if (opened < 0) {
    context.freeContext();
    throw new MediaError('broken_media', 'The file is damaged: its decoder cannot be started.', {
      cause: FFmpegError.fromCode(opened),
    });
  }
  const frame = new Frame();
  frame.alloc();
  const { num, den } = stream.timeBase;
  /** Where the next frame is expected, for those few files whose frames carry no times. */
  let nextPts = 0n;

  return {
    async *decode(packet) {
      if (packet !== null && packet.size === 0) return;
      // An error here is a damaged packet: what it should have given is missing, no more.
      await context.sendPacket(packet);
      while ((await context.receiveFrame(frame)) >= 0) {
        const stamped = frame.bestEffortTimestamp === AV_NOPTS_VALUE ? frame.pts : frame.bestEffortTimestamp;
        const pts = stamped === AV_NOPTS_VALUE ? nextPts : stamped;
        nextPts = pts + frame.duration;
        frame.pts = pts;
        frame.timeBase = stream.timeBase;
        yield { frame, tMs: (Number(pts) * 1000 * num) / den - options.originMs };
      }
    },
    close() {
      frame.free();
      context.freeContext();
    },
  };
}
