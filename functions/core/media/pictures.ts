/** Still pictures: their size, from the header alone; whether they are whole, from their last bytes. */
import { imageSize } from 'image-size';
import { AimaError } from '../errors.ts';
import type { ObjectReader } from './object-reader.ts';
import type { MediumFacts } from './probe.ts';
import type { PictureFormat } from './signature.ts';

/** 10,000 x 10,000, the largest that the worker decodes. */
const maxPixels = 100_000_000;
/** Profiles, previews and the like may stand before the size. */
const maxHeaderBytes = 2 * 2 ** 20;
const tailBytes = 64 * 1024;

/** @throws AimaError `broken_media`, `media_too_large`. */
export async function probePicture(
  file: ObjectReader,
  format: PictureFormat,
  contentType: string,
): Promise<MediumFacts> {
  const size = await readSize(file);
  if (size && size.width * size.height > maxPixels) {
    throw new AimaError(
      'media_too_large',
      `The picture has ${size.width} × ${size.height} pixels; at most ${maxPixels / 1e6} million are read.`,
    );
  }
  await checkIsWhole(file, format);
  return {
    kind: 'image',
    contentType,
    durationMs: null,
    width: size?.width ?? null,
    height: size?.height ?? null,
  };
}

/** Upright size; null where it stands too far inside the file. */
async function readSize(file: ObjectReader): Promise<{ width: number; height: number } | null> {
  for (const bytes of [tailBytes, maxHeaderBytes]) {
    const header = await file.read(0, bytes);
    try {
      const { width, height, orientation = 1 } = imageSize(header);
      if (width > 0 && height > 0)
        return orientation >= 5 ? { width: height, height: width } : { width, height };
    } catch {
      // It wants more bytes than there were, or the file is damaged: the end of the loop tells.
    }
    if (header.length === file.sizeBytes) {
      throw new AimaError('broken_media', 'The picture is damaged or ends too early.');
    }
  }
  return null;
}

async function checkIsWhole(file: ObjectReader, format: PictureFormat): Promise<void> {
  const tail = await file.read(Math.max(0, file.sizeBytes - tailBytes), file.sizeBytes);
  const whole =
    format === 'png'
      ? tail.includes('IEND')
      : format === 'jpeg'
        ? tail.includes('\xff\xd9', 0, 'latin1') || (await hasJpegEnd(file))
        : format === 'webp'
          ? (await file.read(4, 8)).readUInt32LE() + 8 <= file.sizeBytes
          : true;
  if (!whole) throw new AimaError('broken_media', 'The picture ends too early: a part of it is missing.');
}

/** Cameras append films to their pictures, so the end mark may be far from the end. */
async function hasJpegEnd(file: ObjectReader): Promise<boolean> {
  if (file.sizeBytes > 8 * 2 ** 20) return true;
  return (await file.read(0, file.sizeBytes)).includes('\xff\xd9', 0, 'latin1');
}
