/** Encodes films, sounds and pictures for tests with the FFmpeg libraries of node-av. */
import { readFile, writeFile } from 'node:fs/promises';
import { Encoder, FilterAPI, Muxer } from 'node-av/api';
import {
  AV_CHANNEL_LAYOUT_MONO,
  AV_LOG_ERROR,
  AV_PIX_FMT_RGB24,
  AV_SAMPLE_FMT_FLT,
  type FFEncoderCodec,
} from 'node-av/constants';
import { Frame, Log, Rational } from 'node-av/lib';

export interface PictureTrack {
  codec: FFEncoderCodec;
  options?: Record<string, string>;
  width: number;
  height: number;
  /** Nominal; what counts is when each picture is shown. */
  fps: number;
  /** RGB pictures in the order of time, each with when it is shown. */
  frames: AsyncIterable<{ tMs: number; rgb: Buffer }>;
}

export interface SoundTrack {
  codec: FFEncoderCodec;
  samples: Float32Array;
  sampleRate: number;
}

/** Writes a file whose container follows from the path's ending. */
export async function encode(
  path: string,
  tracks: { picture?: PictureTrack; sound?: SoundTrack; muxerOptions?: Record<string, string> },
): Promise<void> {
  const { picture, sound } = tracks;
  const level = Log.getLevel();
  // Encoders tell their settings on every start.
  Log.setLevel(AV_LOG_ERROR);
  const muxer = await Muxer.open(path, tracks.muxerOptions ? { options: tracks.muxerOptions } : {});
  const writers: { nextMs: number; writeNext(): Promise<boolean>; close(): void }[] = [];
  if (picture) writers.push(await pictureWriter(muxer, picture));
  if (sound) writers.push(await soundWriter(muxer, sound));
  try {
    // Whoever is behind writes next, so that the file is interleaved like any other.
    for (let open = [...writers]; open.length > 0; ) {
      const behind = open.reduce((a, b) => (b.nextMs < a.nextMs ? b : a));
      if (!(await behind.writeNext())) open = open.filter((writer) => writer !== behind);
    }
  } finally {
    await muxer.close();
    for (const writer of writers) writer.close();
    Log.setLevel(level);
  }
}

async function pictureWriter(muxer: Muxer, track: PictureTrack) {
  const encoder = await Encoder.create(track.codec, {
    // B-frames, as real films have: what is stored first is not shown first.
    options: { g: '50', bf: '2', threads: '2', ...track.options },
    context: { framerate: new Rational(track.fps, 1) },
  });
  const index = muxer.addStream(encoder);
  const toYuv = FilterAPI.create('format=yuv420p');
  const frames = track.frames[Symbol.asyncIterator]();
  let next = await frames.next();
  const writer = {
    nextMs: 0,
    async writeNext() {
      const shown = next;
      if (!shown.done) next = await frames.next();
      const frame = shown.done ? null : pictureFrame(track, shown.value.rgb);
      if (frame && !shown.done) {
        frame.pts = BigInt(shown.value.tMs);
        const endMs = next.done ? shown.value.tMs + 1000 / track.fps : next.value.tMs;
        frame.duration = BigInt(Math.round(endMs) - shown.value.tMs);
        writer.nextMs = endMs;
      }
      if (frame) await toYuv.process(frame);
      const yuv = frame && (await toYuv.receive());
      for (const packet of await encoder.encodeAll(yuv ?? null)) {
        await muxer.writePacket(packet, index);
        packet.free();
      }
      yuv?.free();
      frame?.free();
      return frame !== null;
    },
    close() {
      encoder.close();
      toYuv.close();
    },
  };
  return writer;
}

function pictureFrame({ width, height }: PictureTrack, rgb: Buffer): Frame {
  const timeBase = { num: 1, den: 1000 };
  return Frame.fromVideoBuffer(rgb, { width, height, format: AV_PIX_FMT_RGB24, timeBase });
}

async function soundWriter(muxer: Muxer, { codec, samples, sampleRate }: SoundTrack) {
  const encoder = await Encoder.create(codec, { autoResample: true, context: { bitRate: 96_000n } });
  const index = muxer.addStream(encoder);
  const step = sampleRate / 10;
  let done = 0;
  const writer = {
    nextMs: 0,
    async writeNext() {
      const part = samples.slice(done, done + step);
      const frame =
        part.length === 0
          ? null
          : Frame.fromAudioBuffer(Buffer.from(part.buffer), {
              ...{ nbSamples: part.length, format: AV_SAMPLE_FMT_FLT, sampleRate },
              ...{ channelLayout: AV_CHANNEL_LAYOUT_MONO, pts: BigInt(done) },
              timeBase: { num: 1, den: sampleRate },
            });
      done += part.length;
      writer.nextMs = (done * 1000) / sampleRate;
      for (const packet of await encoder.encodeAll(frame)) {
        await muxer.writePacket(packet, index);
        packet.free();
      }
      frame?.free();
      return frame !== null;
    },
    close: () => encoder.close(),
  };
  return writer;
}

/**
 * Tells players to turn the one picture track of an MP4 clockwise, as phones do: by the matrix
 * in its track header, 44 bytes behind the box's type (ISO/IEC 14496-12, 8.3.2; 16.16 fixed point).
 */
export async function turn(path: string, clockwise: number): Promise<void> {
  const film = await readFile(path);
  const matrix = film.indexOf('tkhd') + 44;
  const radians = (clockwise * Math.PI) / 180;
  const [cos, sin] = [Math.round(Math.cos(radians)), Math.round(Math.sin(radians))];
  [cos, sin, 0, -sin, cos].forEach((value, at) => {
    film.writeInt32BE(value * 65536, matrix + at * 4);
  });
  await writeFile(path, film);
}
