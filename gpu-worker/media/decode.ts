/**
 * Reading media: from an address or a file to pictures and samples that analyzers take.
 *
 *   source.ts     bytes at an offset, from HTTP ranges (http.ts) or a file (file.ts)
 *   container.ts  FFmpeg's demuxers on top of them; nothing else is ever opened (mp4.ts: is it whole?)
 *   probe.ts      what the medium is, before anything is decoded; what it says of itself (tags.ts, exif.ts)
 *   decode.ts     one pass over the packets; each goes to its track:
 *     video-track.ts   decode, choose the frames that are due (sampling.ts), scale, turn upright
 *     audio-track.ts   decode, resample to 16 kHz mono, close gaps (pcm.ts)
 *     until.ts         where only a stretch is wanted: nothing behind its end
 *   pictures.ts   still pictures, through sharp instead of FFmpeg
 *
 * Nothing runs ahead: a packet is read when the frames of the one before were taken. So
 * whoever is slow holds the whole chain up to the network, and memory stays bounded by one
 * packet, the decoder's own frames and the source's 16 MiB.
 */
import { AVDISCARD_ALL, AVERROR_EAGAIN, AVERROR_EOF, AVSEEK_FLAG_BACKWARD } from 'node-av/constants';
import { Packet, type Stream } from 'node-av/lib';
import { type AudioTrack, openAudioTrack } from './audio-track.ts';
import { type Container, openContainer } from './container.ts';
import { MediaError } from './errors.ts';
import type { PcmChunk } from './pcm.ts';
import { openPicture, pictureFormat } from './pictures.ts';
import type { Medium } from './probe.ts';
import type { FrameFeed } from './sampling.ts';
import { type ByteSource, type MediaSource, openSource } from './source.ts';
import { mainStream, originMs } from './streams.ts';
import { before, pastOf } from './until.ts';
import { type DueFrame, openVideoTrack, type VideoTrack } from './video-track.ts';

export interface DecodePlan {
  /** Who takes frames; a frame tells by index for which of them it is. */
  frames: readonly FrameFeed[];
  /** Sound from this time on, or none. */
  pcm: { fromMs: number } | null;
  /** Nothing from this time on; Infinity by default. */
  toMs?: number;
  /** CPU threads for decoding pictures. */
  threads: number;
  signal?: AbortSignal;
}

/** A place in the file that could not be read; what follows it is missing. */
export interface Damage {
  type: 'damage';
  sentence: string;
}

export type Decoded = DueFrame | PcmChunk | Damage;

/** Sound before the place sought, so that the decoder has settled when it comes. */
const leadInMs = 500;

/**
 * Decodes a medium once for all takers. Frames come in the order of time, and so does sound;
 * the two advance together as they lie in the file. Throws a MediaError, or the signal's reason.
 */
export async function* decode(
  source: MediaSource,
  medium: Medium,
  plan: DecodePlan,
): AsyncGenerator<Decoded> {
  const bytes = await openSource(source, plan.signal);
  try {
    yield* medium.kind === 'image' ? decodePicture(bytes, plan) : decodeContainer(bytes, medium, plan);
  } finally {
    await bytes.close();
  }
}

async function* decodePicture(bytes: ByteSource, plan: DecodePlan): AsyncGenerator<Decoded> {
  const format = pictureFormat(await bytes.read(0, 32));
  if (!format) throw new MediaError('media_changed', 'The file was replaced while it was read.');
  const picture = await openPicture(bytes, format);
  const byWidth = Map.groupBy(plan.frames.keys(), (index) =>
    Math.min(plan.frames[index]!.maxWidth, picture.width),
  );
  for (const [width, feeds] of byWidth) {
    plan.signal?.throwIfAborted();
    yield { type: 'frame', feeds, frame: await picture.frame(width) };
  }
}

async function* decodeContainer(
  bytes: ByteSource,
  medium: Medium,
  plan: DecodePlan,
): AsyncGenerator<Decoded> {
  const container = await openContainer(bytes, plan.signal);
  const packet = new Packet();
  packet.alloc();
  const toMs = plan.toMs ?? Infinity;
  let tracks: Tracks | undefined;
  try {
    tracks = await openTracks(container, medium, plan);
    const { video, audio, isPast } = tracks;
    for (;;) {
      plan.signal?.throwIfAborted();
      const result = await container.format.readFrame(packet);
      if (result === AVERROR_EAGAIN) continue;
      if (result < 0) {
        const end = whyItEnded(container, result);
        if (end) yield end;
        break;
      }
      const past = isPast(packet);
      if (past === 'all') break;
      if (past === 'no') {
        if (packet.streamIndex === video?.index) yield* before(toMs, video.track.decode(packet));
        else if (packet.streamIndex === audio?.index) yield* before(toMs, audio.track.decode(packet));
      }
      packet.unref();
    }
    if (video) yield* before(toMs, video.track.decode(null));
    if (audio) yield* before(toMs, audio.track.decode(null));
  } finally {
    packet.free();
    tracks?.video?.track.close();
    tracks?.audio?.track.close();
    await container.close();
  }
}

interface Tracks {
  isPast: ReturnType<typeof pastOf>;
  video: { index: number; track: VideoTrack } | null;
  audio: { index: number; track: AudioTrack } | null;
}

async function openTracks(container: Container, medium: Medium, plan: DecodePlan): Promise<Tracks> {
  const { format } = container;
  const origin = originMs(format);
  const videoStream = plan.frames.length > 0 ? mainStream(format, 'video') : null;
  const audioStream = plan.pcm ? mainStream(format, 'audio') : null;
  for (const stream of format.streams) {
    if (stream.index !== videoStream?.index && stream.index !== audioStream?.index) {
      stream.discard = AVDISCARD_ALL;
    }
  }
  const fromMs = Math.min(
    ...plan.frames.map((feed) => feed.fromMs),
    plan.pcm?.fromMs ?? Number.POSITIVE_INFINITY,
  );
  // Sound alone is decoded hundreds of times faster than it plays, and many of its containers
  // (MP3, ADTS) only guess where a time is: it is read from the start and thrown away up to there.
  if (videoStream && fromMs > 0) await seek(container, videoStream, fromMs - leadInMs + origin);
  const video = videoStream && {
    index: videoStream.index,
    track: await openVideoTrack(videoStream, {
      feeds: plan.frames,
      originMs: origin,
      threads: plan.threads,
    }),
  };
  const audio = audioStream && {
    index: audioStream.index,
    track: await openAudioTrack(audioStream, {
      fromMs: plan.pcm?.fromMs ?? 0,
      endMs: Math.min(medium.durationMs, plan.toMs ?? Infinity),
      originMs: origin,
    }),
  };
  const streams = [videoStream, audioStream].filter((stream) => stream !== null);
  return { video, audio, isPast: pastOf(streams, origin, plan.toMs ?? Infinity) };
}

/** To the last keyframe at or before `tMs`, in the container's own time. */
async function seek({ format }: Container, stream: Stream, tMs: number): Promise<void> {
  const { num, den } = stream.timeBase;
  const target = BigInt(Math.floor((Math.max(tMs, 0) * den) / (1000 * num)));
  // Where seeking fails there is no index: then reading goes on from the start, only slower.
  await format.seekFrame(stream.index, target, AVSEEK_FLAG_BACKWARD);
}

/** Throws when it is not the medium's fault; null at its regular end. */
function whyItEnded(container: Container, result: number): Damage | null {
  if (result === AVERROR_EOF) return null;
  try {
    const sentence = 'The file is damaged: what follows could not be read.';
    container.check(result === AVERROR_EOF ? 0 : result, sentence);
    return null;
  } catch (error) {
    if (!(error instanceof MediaError) || error.code !== 'broken_media') throw error;
    return { type: 'damage', sentence: error.message };
  }
}
