/** Films and sound: tracks, size and length, read from the container's index by mediabunny. */
import {
  ADTS,
  CustomSource,
  FLAC,
  Input,
  type InputFormat,
  MATROSKA,
  MP3,
  MP4,
  OGG,
  QTFF,
  WAVE,
  WEBM,
} from 'mediabunny';
import { AimaError } from '../errors.ts';
import { mp4IndexFault, whatMp4Lacks } from './mp4.ts';
import { type ObjectReader, ReadLimitReached } from './object-reader.ts';
import type { MediumFacts } from './probe.ts';
import type { ContainerFormat } from './signature.ts';

// Without HLS, which would follow addresses inside the file.
const FORMATS: Record<ContainerFormat, InputFormat[]> = {
  mp4: [MP4, QTFF],
  matroska: [MATROSKA, WEBM],
  wav: [WAVE],
  ogg: [OGG],
  // Tags of this sort stand before other formats too.
  mp3: [MP3, ADTS, FLAC],
  aac: [ADTS],
  flac: [FLAC],
};

/** What the worker refuses too (gpu-worker/media/limits.ts). */
const maxPixels = 8192 * 4320;
const maxDurationMs = 24 * 60 * 60 * 1000;

/**
 * @throws AimaError `broken_media`, `media_too_large`, `unsupported_media`.
 * @throws ReadLimitReached where too much would have to be read to tell.
 */
export async function probeFilm(file: ObjectReader, format: ContainerFormat): Promise<MediumFacts> {
  if (format === 'mp4') {
    const read = (offset: number, length: number) => file.read(offset, offset + length);
    const fault = (await whatMp4Lacks(file.sizeBytes, read)) ?? (await mp4IndexFault(file.sizeBytes, read));
    if (fault) throw new AimaError('broken_media', fault);
  }
  if (format === 'ogg' && (await file.read(0, 1024)).includes(theoraHeader, 0, 'latin1')) {
    return { ...unknownSound, kind: 'video', contentType: 'video/ogg' };
  }
  let readFailure: unknown;
  const source = new CustomSource({
    getSize: () => file.sizeBytes,
    read: (start, end) =>
      file.read(start, end).catch((error: unknown) => {
        readFailure = error;
        throw error;
      }),
    prefetchProfile: 'none',
  });
  const input = new Input({ formats: FORMATS[format], source });
  try {
    return await describe(input);
  } catch (error) {
    if (readFailure) throw readFailure;
    if (error instanceof AimaError) throw error;
    // A codec that mediabunny does not know says nothing against the file.
    if (error instanceof Error && error.message.startsWith('Unsupported ')) return unknownSound;
    throw new AimaError('broken_media', 'The file is damaged: what it contains cannot be read.', {
      cause: error,
    });
  } finally {
    input.dispose();
  }
}

/** What passes on to the worker, which knows more codecs. */
const unknownSound: MediumFacts = {
  kind: 'audio',
  contentType: null,
  durationMs: null,
  width: null,
  height: null,
};

/** Theora's films are the only ones in Ogg, and mediabunny sees their sound alone. https://www.theora.org/doc/Theora.pdf, 6.1 */
const theoraHeader = '\x80theora';

async function describe(input: Input): Promise<MediumFacts> {
  const contentType = (await input.getFormat()).mimeType;
  const video = await input.getPrimaryVideoTrack();
  const audio = await input.getPrimaryAudioTrack();
  if (!video && !audio && (await input.getFormat()) === OGG) return unknownSound;
  if (!video && !audio)
    throw new AimaError('unsupported_media', 'There is neither picture nor sound in the file.');
  const width = video ? wholeNumber(await video.getDisplayWidth()) : null;
  const height = video ? wholeNumber(await video.getDisplayHeight()) : null;
  if (width !== null && height !== null && width * height > maxPixels) {
    throw new AimaError(
      'media_too_large',
      `The film's pictures have ${width} × ${height} pixels, more than can be read.`,
    );
  }
  const seconds = await duration(input);
  const durationMs = seconds === null ? null : wholeNumber(seconds * 1000);
  if (durationMs !== null && durationMs > maxDurationMs) {
    throw new AimaError('media_too_large', 'The file is longer than 24 hours: cut it into parts.');
  }
  return {
    kind: video ? 'video' : 'audio',
    contentType: video ? contentType : contentType.replace(/^video\//, 'audio/'),
    durationMs,
    width,
    height,
  };
}

/** Some formats tell it only at their last packet, or by all of them: then only where that is near. */
async function duration(input: Input): Promise<number | null> {
  const told = await input.getDurationFromMetadata();
  if (told !== null) return told;
  try {
    return await input.computeDuration();
  } catch (error) {
    if (error instanceof ReadLimitReached) return null;
    throw error;
  }
}

/** Headers can hold any number; the database's columns cannot. */
function wholeNumber(value: number): number | null {
  const rounded = Math.round(value);
  return rounded > 0 && rounded < 2 ** 31 ? rounded : null;
}
