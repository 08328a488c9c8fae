/** The still pictures that test films are made of, as RGB without padding. */
import sharp, { type Sharp } from 'sharp';

export interface Still {
  width: number;
  height: number;
  rgb: Buffer;
}

export async function toStill(image: Sharp): Promise<Still> {
  const { data, info } = await image
    .removeAlpha()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, rgb: data };
}

export interface Line {
  text: string;
  /** Height of a letter's box in pixels, of a picture 720 high. */
  size: number;
  x: number;
  y: number;
}

/** Lines of text on a plain or given background. The font is a file: bare machines have none. */
export async function textPicture(
  fontPath: string,
  lines: Line[],
  options: { width: number; height: number; colour: string; background: string | Sharp },
): Promise<Sharp> {
  const { width, height, colour, background } = options;
  const scale = height / 720;
  const overlays = await Promise.all(
    lines.map(async ({ text, size, x, y }) => ({
      input: await sharp({
        text: {
          text: `<span foreground="${colour}">${text}</span>`,
          font: `DejaVu Sans ${Math.round(size * scale)}`,
          fontfile: fontPath,
          rgba: true,
          dpi: 72,
        },
      })
        .png()
        .toBuffer(),
      left: Math.round(x * scale),
      top: Math.round(y * scale),
    })),
  );
  const base =
    typeof background === 'string'
      ? sharp({ create: { width, height, channels: 3, background } })
      : sharp(await background.resize(width, height).png().toBuffer());
  return sharp(await base.composite(overlays).png().toBuffer());
}

/** A part of a photograph. */
export function crop(
  photo: Buffer,
  area: { left: number; top: number; width: number; height: number },
): Sharp {
  return sharp(photo).extract(area);
}

/** What a camera sees that moves sideways over a larger still: `x` from its left edge. */
export function window(still: Still, x: number, width: number): Buffer {
  const rgb = Buffer.allocUnsafe(width * still.height * 3);
  for (let row = 0; row < still.height; row++) {
    const start = (row * still.width + x) * 3;
    still.rgb.copy(rgb, row * width * 3, start, start + width * 3);
  }
  return rgb;
}
