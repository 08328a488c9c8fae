/** What a medium is: read from its beginning and its index, nothing is decoded. */
import { AV_NOPTS_VALUE } from 'node-av/constants';
import { type FormatContext, Packet } from 'node-av/lib';
import type { Exif } from '../../functions/core/results/run.ts';
import type { MediaKind } from '../analyzers/analyzer.ts';
import { type Container, openContainer } from './container.ts';
import { MediaError } from './errors.ts';
import { blockBytes } from './http.ts';
import { limits } from './limits.ts';
import { openPicture, pictureFormat } from './pictures.ts';
import { type ByteSource, type MediaSource, openSource } from './source.ts';
import {
  describeStream,
  type MediumStream,
  mainStream,
  meanFps,
  originMs,
  uprightSize,
  videoGeometry,
} from './streams.ts';
import { tagsOf } from './tags.ts';
import { readWhole, sha256Of } from './whole.ts';

export interface Medium {
  kind: MediaKind;
  /** `mp4`, `matroska`, `wav`, `jpeg` … */
  container: string;
  sizeBytes: number;
  /** 0 for a picture. */
  durationMs: number;
  /** Upright, in square pixels; null for sound. */
  width: number | null;
  height: number | null;
  /** Mean frames per second; null where there are none or it is not known. */
  fps: number | null;
  /** Clockwise turn that makes the stored picture upright: 0, 90, 180, 270. */
  rotation: number;
  hasSound: boolean;
  streams: MediumStream[];
  /** What the container says of itself, by the names in tags.ts. */
  tags: Record<string, string>;
  /** What the camera says of a picture. */
  exif: Exif | null;
  /** Of the file, where all of it was read: pictures, and what is not larger than a block of http.ts. */
  sha256: string | null;
}

/** Throws a MediaError whose message tells a user what is wrong with the file. */
export async function probeMedium(source: MediaSource, signal?: AbortSignal): Promise<Medium> {
  const bytes = await openSource(source, signal);
  try {
    const format = pictureFormat(await bytes.read(0, 32));
    if (format) {
      const { width, height, rotation, exif, sha256 } = await openPicture(bytes, format);
      return {
        ...{ kind: 'image', container: format, sizeBytes: bytes.sizeBytes, durationMs: 0 },
        ...{ width, height, fps: null, rotation, hasSound: false, streams: [] },
        ...{ tags: {}, exif, sha256: sha256() },
      };
    }
    const container = await openContainer(bytes, signal);
    try {
      return await describe(container, bytes, signal);
    } finally {
      await container.close();
    }
  } finally {
    await bytes.close();
  }
}

async function describe(container: Container, bytes: ByteSource, signal?: AbortSignal): Promise<Medium> {
  const { format } = container;
  const video = mainStream(format, 'video');
  const audio = mainStream(format, 'audio');
  if (!video && !audio) {
    throw new MediaError('unsupported_media', 'There is neither picture nor sound in the file.');
  }
  if (format.nbStreams > limits.streams) {
    throw new MediaError('media_too_large', `The file has more than ${limits.streams} streams.`);
  }
  const geometry = video ? videoGeometry(video) : null;
  if (geometry && geometry.width * geometry.height > limits.videoPixels) {
    throw new MediaError(
      'media_too_large',
      `The film's pictures have ${geometry.width} × ${geometry.height} pixels, more than can be read.`,
    );
  }
  if (geometry && geometry.width * geometry.height === 0) {
    throw new MediaError('broken_media', 'The file is damaged: the size of its pictures is not known.');
  }
  const durationMs = await duration(container, signal);
  if (durationMs <= 0) throw new MediaError('broken_media', 'There is nothing in the file.');
  if (durationMs > limits.durationMs) {
    throw new MediaError('media_too_large', 'The file is longer than 24 hours, the most that is read.');
  }
  return {
    kind: video ? 'video' : 'audio',
    container: container.name,
    sizeBytes: bytes.sizeBytes,
    durationMs,
    width: geometry ? uprightSize(geometry).width : null,
    height: geometry ? uprightSize(geometry).height : null,
    fps: video ? meanFps(video) : null,
    rotation: geometry?.orientation.rotation ?? 0,
    hasSound: audio !== null,
    streams: format.streams.map(describeStream),
    tags: tagsOf(format, video ?? audio),
    exif: null,
    sha256: bytes.sizeBytes <= blockBytes ? sha256Of(await readWhole(bytes)) : null,
  };
}

async function duration({ format, check }: Container, signal?: AbortSignal): Promise<number> {
  if (format.duration !== AV_NOPTS_VALUE) return Math.round(Number(format.duration) / 1000);
  return Math.round(await lastTimeMs(format, check, signal));
}

/** Reads all packets: what browsers record (MediaRecorder) carries no duration. */
async function lastTimeMs(
  format: FormatContext,
  check: Container['check'],
  signal?: AbortSignal,
): Promise<number> {
  const packet = new Packet();
  packet.alloc();
  let lastMs = 0;
  try {
    while ((await format.readFrame(packet)) >= 0) {
      const stream = format.streams[packet.streamIndex];
      if (stream && packet.pts !== AV_NOPTS_VALUE) {
        const { num, den } = stream.timeBase;
        const endMs = (Number(packet.pts + packet.duration) * 1000 * num) / den - originMs(format);
        lastMs = Math.max(lastMs, endMs);
      }
      packet.unref();
    }
    // The end of what could be read is the end, unless it is our source that failed.
    check(0, '');
    signal?.throwIfAborted();
    return lastMs;
  } finally {
    packet.free();
  }
}
