/** PP-OCR's text detectors: where in a picture are lines of text? */
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import type { Frame } from '../analyzer.ts';
import type { Quad } from './geometry.ts';
import { findRegions } from './regions.ts';

/** The net halves its input five times. */
const SIDE_MULTIPLE = 32;
/** ImageNet's mean and deviation, applied to blue, green, red in this order as in the net's training. */
const MEAN = [0.485, 0.456, 0.406] as const;
const DEVIATION = [0.229, 0.224, 0.225] as const;

/** Boxes around lines of text in the frame's pixels. */
export async function detectText(session: InferenceSession, frame: Frame): Promise<Quad[]> {
  const width = nearestSide(frame.width);
  const height = nearestSide(frame.height);
  const out = await session.run({ [session.inputNames[0]!]: await toTensor(frame, width, height) });
  const data = out[session.outputNames[0]!]?.data;
  if (!(data instanceof Float32Array)) throw new Error('The text detector gave no float map.');
  const [sx, sy] = [frame.width / width, frame.height / height];
  return findRegions({ width, height, data }).map(({ quad: [a, b, c, d] }) => {
    const scale = ([x, y]: readonly [number, number]) => [x * sx, y * sy] as const;
    return [scale(a), scale(b), scale(c), scale(d)];
  });
}

const nearestSide = (side: number) =>
  Math.max(SIDE_MULTIPLE, Math.round(side / SIDE_MULTIPLE) * SIDE_MULTIPLE);

async function toTensor(frame: Frame, width: number, height: number): Promise<Tensor> {
  const rgb = await sharp(frame.data, {
    raw: { width: frame.width, height: frame.height, channels: 3 },
  })
    .resize(width, height, { fit: 'fill', kernel: 'linear' })
    .raw()
    .toBuffer();
  const pixels = width * height;
  const planes = new Float32Array(pixels * 3);
  for (let plane = 0; plane < 3; plane++) {
    const [mean, deviation] = [MEAN[plane]! * 255, DEVIATION[plane]! * 255];
    for (let i = 0; i < pixels; i++)
      planes[plane * pixels + i] = (rgb[i * 3 + 2 - plane]! - mean) / deviation;
  }
  return new Tensor('float32', planes, [1, 3, height, width]);
}
