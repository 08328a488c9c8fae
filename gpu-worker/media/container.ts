/**
 * Opening a container with FFmpeg's demuxers, without letting it open anything by itself.
 *
 * FFmpeg would follow playlists to other addresses and files (HLS, DASH, concat, references
 * inside MOV). So it reads through our callbacks only, no protocol is allowed, and only
 * demuxers of self-contained files are.
 */
import {
  AV_LOG_FATAL,
  AVERROR_EIO,
  AVERROR_EOF,
  AVERROR_EXIT,
  AVFMT_FLAG_CUSTOM_IO,
  AVSEEK_CUR,
  AVSEEK_END,
  AVSEEK_SIZE,
} from 'node-av/constants';
import { Dictionary, FFmpegError, FormatContext, InputFormat, IOContext, Log } from 'node-av/lib';
import { whatMp4Lacks } from '../../functions/core/media/mp4.ts';
import { MediaError } from './errors.ts';
import type { ByteSource } from './source.ts';

// What is wrong with a file is told by our errors; FFmpeg's own lines would only fill the log.
Log.setLevel(AV_LOG_FATAL);

const bufferBytes = 256 * 1024;
/** How far FFmpeg may look to tell what a file is; MP3s begin with their cover picture. */
const probeBytes = 8 * 2 ** 20;

/** FFmpeg's names of the demuxers that are allowed, and what to call them. */
const containers = new Map([
  ['mov,mp4,m4a,3gp,3g2,mj2', 'mp4'],
  ['matroska,webm', 'matroska'],
  ['avi', 'avi'],
  ['mpegts', 'mpegts'],
  ['mpeg', 'mpeg'],
  ['flv', 'flv'],
  ['asf', 'asf'],
  ['mxf', 'mxf'],
  ['ogg', 'ogg'],
  ['wav', 'wav'],
  ['w64', 'w64'],
  ['aiff', 'aiff'],
  ['au', 'au'],
  ['caf', 'caf'],
  ['mp3', 'mp3'],
  ['aac', 'aac'],
  ['ac3', 'ac3'],
  ['eac3', 'eac3'],
  ['flac', 'flac'],
  ['amr', 'amr'],
  ['wv', 'wv'],
]);

export interface Container {
  name: string;
  format: FormatContext;
  /** Throws what lies behind an FFmpeg error: the source's own failure, the abort, or broken media. */
  check(result: number, sentence: string): void;
  close(): Promise<void>;
}

/** Throws a MediaError for what is not a film or sound that we read. Closing leaves `bytes` open. */
export async function openContainer(bytes: ByteSource, signal?: AbortSignal): Promise<Container> {
  let position = 0;
  let failure: unknown;
  const io = new IOContext();
  io.allocContextWithCallbacks(
    bufferBytes,
    0,
    async (length) => {
      if (signal?.aborted) return AVERROR_EXIT;
      try {
        const chunk = await bytes.read(position, length);
        position += chunk.length;
        return chunk.length === 0 ? AVERROR_EOF : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      } catch (error) {
        failure = error;
        return AVERROR_EIO;
      }
    },
    null,
    (offset, whence) => {
      if (whence === AVSEEK_SIZE) return BigInt(bytes.sizeBytes);
      const base = whence === AVSEEK_CUR ? position : whence === AVSEEK_END ? bytes.sizeBytes : 0;
      position = Math.max(0, base + Number(offset));
      return BigInt(position);
    },
  );
  const format = new FormatContext();
  const check = (result: number, sentence: string) => {
    signal?.throwIfAborted();
    // Demuxers may call a failing source a regular end.
    if (failure) throw failure;
    if (result >= 0) return;
    throw new MediaError('broken_media', sentence, { cause: FFmpegError.fromCode(result) });
  };
  const close = async () => {
    await format.closeInput();
    io.freeContext();
  };
  try {
    const detected = await InputFormat.probeBuffer(io, probeBytes);
    if (failure) throw failure;
    const name = containers.get(detected?.name ?? '');
    if (!detected || !name) throw await unreadable(bytes);
    format.allocContext();
    format.pb = io;
    format.setFlags(AVFMT_FLAG_CUSTOM_IO);
    const options = Dictionary.fromObject({
      protocol_whitelist: 'none',
      format_whitelist: detected.name ?? '',
    });
    if (name === 'mp4') {
      const lack = await whatMp4Lacks(bytes.sizeBytes, (offset, length) => bytes.read(offset, length));
      if (lack) throw new MediaError('broken_media', lack);
    }
    check(
      await format.openInput('', detected, options),
      'The file is damaged: its beginning cannot be read.',
    );
    check(await format.findStreamInfo(null), 'The file is damaged: what it contains cannot be read.');
    return { name, format, check, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function unreadable(bytes: ByteSource): Promise<MediaError> {
  const head = Buffer.from(await bytes.read(0, 1024)).toString('latin1');
  const isPlaylist = head.startsWith('#EXTM3U') || head.includes('<MPD');
  const sentence = isPlaylist
    ? 'This is a playlist, not a film: upload the film that it names.'
    : 'This is not a picture, sound or film that can be read.';
  return new MediaError('unsupported_media', sentence);
}
