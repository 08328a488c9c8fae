/** Pictures as the input of a neural network. */
import { Tensor } from 'onnxruntime-node';
import sharp, { type Sharp } from 'sharp';
import type { Frame } from './analyzer.ts';

/** Whole pixels of a frame; may reach over its edges. */
export interface Region {
  left: number;
  top: number;
  width: number;
  height: number;
}

export interface TensorFormat {
  width: number;
  height: number;
  channels: 1 | 3;
  /** A byte `v` becomes `(v - offset) / divisor`. */
  offset: number;
  divisor: number;
}

/** The frame, or a region of it, stretched to the format: float32, [1, channels, height, width]. */
export async function pictureTensor(frame: Frame, format: TensorFormat, region?: Region): Promise<Tensor> {
  const { width, height, channels, offset, divisor } = format;
  const picture = region ? await cutOut(frame, region) : frame;
  const resized = openFrame(picture).resize(width, height, { fit: 'fill' });
  const bytes = await (channels === 1 ? resized.greyscale() : resized)
    .toColourspace(channels === 1 ? 'b-w' : 'srgb')
    .raw()
    .toBuffer();
  const pixels = width * height;
  const values = new Float32Array(channels * pixels);
  for (let channel = 0; channel < channels; channel++) {
    const plane = channel * pixels;
    for (let i = 0; i < pixels; i++) values[plane + i] = (bytes[i * channels + channel]! - offset) / divisor;
  }
  return new Tensor('float32', values, [1, channels, height, width]);
}

/** The frame as sharp takes it. */
export function openFrame({ data, width, height }: Pick<Frame, 'data' | 'width' | 'height'>): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

/** A region in its full size; beyond the frame's edges its outermost pixels go on. */
export async function cutOut(
  frame: Frame,
  region: Region,
): Promise<{ data: Buffer; width: number; height: number }> {
  const left = Math.max(0, region.left);
  const top = Math.max(0, region.top);
  const width = Math.min(frame.width, region.left + region.width) - left;
  const height = Math.min(frame.height, region.top + region.height) - top;
  const data = await openFrame(frame)
    .extract({ left, top, width, height })
    .extend({
      left: left - region.left,
      top: top - region.top,
      right: region.width - width - (left - region.left),
      bottom: region.height - height - (top - region.top),
      extendWith: 'copy',
    })
    .raw()
    .toBuffer();
  return { data, width: region.width, height: region.height };
}

/** The values of a float32 result of a model. */
export function floatsOf(results: Record<string, Tensor>, name: string): Float32Array {
  const data = results[name]?.data;
  if (!(data instanceof Float32Array)) throw new Error(`the model gave no float32 result ${name}`);
  return data;
}
