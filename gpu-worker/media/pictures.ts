/** Still pictures: what they are, and their pixels, upright and in RGB. */
import sharp from 'sharp';
import type { Exif } from '../../functions/core/results/run.ts';
import type { Frame } from '../analyzers/analyzer.ts';
import { MediaError } from './errors.ts';
import { readExif } from './exif.ts';
import { limits } from './limits.ts';
import type { ByteSource } from './source.ts';
import { readWhole, sha256Of } from './whole.ts';

export type PictureFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'tiff' | 'avif' | 'heic';

/** From a file's first bytes; null where it is no picture. Sources: the formats' own signatures. */
export function pictureFormat(head: Uint8Array): PictureFormat | null {
  const text = Buffer.from(head.subarray(0, 32)).toString('latin1');
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'webp';
  if (text.startsWith('GIF8')) return 'gif';
  if (text.startsWith('II*\0') || text.startsWith('MM\0*')) return 'tiff';
  const brand = text.slice(4, 8) === 'ftyp' ? text.slice(8, 12) : '';
  if (brand === 'avif' || (brand === 'mif1' && text.slice(16).includes('avif'))) return 'avif';
  if (['heic', 'heix', 'heim', 'heis', 'mif1'].includes(brand)) return 'heic';
  return null;
}

export interface Picture {
  format: PictureFormat;
  /** Upright. */
  width: number;
  height: number;
  /** Clockwise turn that made it upright. */
  rotation: number;
  exif: Exif | null;
  /** Of the file, in hexadecimal. */
  sha256(): string;
  /** The picture at most `maxWidth` wide, as a frame at time 0. Animations give their first. */
  frame(maxWidth: number): Promise<Frame>;
}

/** Throws a MediaError for pictures that are damaged, too large or of a kind that cannot be read. */
export async function openPicture(bytes: ByteSource, format: PictureFormat): Promise<Picture> {
  if (format === 'heic') {
    // The decoder that comes with sharp knows AVIF, but not HEVC, whose patents forbid it.
    throw new MediaError(
      'unsupported_media',
      'HEIC pictures cannot be read: save the picture as JPEG, PNG, WebP or AVIF.',
    );
  }
  if (bytes.sizeBytes > limits.pictureBytes) {
    throw new MediaError(
      'media_too_large',
      `The picture is larger than ${limits.pictureBytes / 2 ** 20} MiB, the most that is read.`,
    );
  }
  const file = await readWhole(bytes);
  // The limit on pixels is ours, below.
  const open = () => sharp(file, { limitInputPixels: false, failOn: 'truncated' });
  const broken = (cause: unknown) =>
    new MediaError('broken_media', 'The picture is damaged or ends too early.', { cause });
  const {
    width,
    height,
    orientation = 1,
    exif,
  } = await open()
    .metadata()
    .catch((cause: unknown) => {
      throw broken(cause);
    });
  if (width * height > limits.picturePixels) {
    throw new MediaError(
      'media_too_large',
      `The picture has ${width} × ${height} pixels; at most ${limits.picturePixels / 1e6} million are read.`,
    );
  }
  // EXIF orientations 5 to 8 lie on their side; 3, 6 and 8 are turns, even ones also mirror.
  const rotation = [0, 0, 0, 180, 180, 270, 90, 90, 270][orientation] ?? 0;
  const isOnSide = orientation >= 5;
  return {
    format,
    width: isOnSide ? height : width,
    height: isOnSide ? width : height,
    rotation,
    exif: exif ? readExif(exif) : null,
    sha256: () => sha256Of(file),
    async frame(maxWidth) {
      try {
        const { data, info } = await open()
          .autoOrient()
          // A strip of 100 x 1,000,000 pixels must not come out whole, either.
          .resize({ width: maxWidth, height: maxWidth * 4, fit: 'inside', withoutEnlargement: true })
          .flatten({ background: '#ffffff' })
          .toColourspace('srgb')
          .raw({ depth: 'uchar' })
          .toBuffer({ resolveWithObject: true });
        return { tMs: 0, width: info.width, height: info.height, data: inRgb(data, info.channels) };
      } catch (cause) {
        throw broken(cause);
      }
    },
  };
}

/** Grey pictures have one channel left after all conversions. */
function inRgb(data: Buffer, channels: number): Uint8Array {
  if (channels === 3) return data;
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let pixel = 0; pixel < data.length / channels; pixel++) {
    rgb.fill(data[pixel * channels]!, pixel * 3, pixel * 3 + 3);
  }
  return rgb;
}
