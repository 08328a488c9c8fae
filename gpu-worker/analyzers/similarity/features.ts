/** What there is to see in a picture as a vector: the features of EfficientNet-Lite0 before its classes. */
import type { InferenceSession } from 'onnxruntime-node';
import { normalised } from '../../../functions/core/results/embeddings.ts';
import type { Frame } from '../analyzer.ts';
import { floatsOf, pictureTensor } from '../picture-tensor.ts';

export const FEATURE_MODEL = 'efficientnet-lite0';
/** Vectors are compared only within one space. */
export const FEATURE_SPACE = 'efficientnet-lite0-1280';

const INPUT_PIXELS = 224;

/** 1280 numbers, L2-normalised: cosines of two pictures are in functions/core/results/pictures-alike.ts. */
export async function featuresOf(session: InferenceSession, frame: Frame): Promise<Float32Array> {
  const input = await pictureTensor(frame, {
    width: INPUT_PIXELS,
    height: INPUT_PIXELS,
    channels: 3,
    offset: 127,
    divisor: 128,
  });
  return normalised(floatsOf(await session.run({ input }), 'embedding'));
}
