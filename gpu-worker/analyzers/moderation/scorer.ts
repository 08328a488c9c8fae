/**
 * How probably a picture is pornographic, by Yahoo's open_nsfw: a thin ResNet-50, trained on
 * pornographic and other photographs (https://github.com/yahoo/open_nsfw).
 *
 * The way of a picture into it is that of its training, of which it is particular: squeezed to
 * 256 x 256, through JPEG once, the middle 224 x 224, blue first, less the means of its training set
 * (https://github.com/yahoo/open_nsfw/blob/a4e13931/classify_nsfw.py).
 *
 * nsfwjs was tried beside it, on the same 220 pictures: it took 7 for pornography, five of six
 * photographs of dressed women among them, and a footballer for .99 "sexy". This one took the women
 * for .01 to .13 and the footballer for .00, and costs a third.
 */
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import type { Frame } from '../analyzer.ts';
import { floatsOf, openFrame } from '../picture-tensor.ts';

export const MODERATION_MODEL = 'open-nsfw';

const SQUEEZED_PIXELS = 256;
const INPUT_PIXELS = 224;
const MARGIN = (SQUEEZED_PIXELS - INPUT_PIXELS) / 2;
/** Of Pillow, with which the model was made. */
const JPEG_QUALITY = 75;
const BLUE_GREEN_RED_MEANS = [104, 117, 123];

/** 0..1. */
export async function scorePicture(session: InferenceSession, frame: Frame): Promise<number> {
  const jpeg = await openFrame(frame)
    .resize(SQUEEZED_PIXELS, SQUEEZED_PIXELS, { fit: 'fill', kernel: 'linear' })
    .jpeg({ quality: JPEG_QUALITY })
    .toBuffer();
  const rgb = await sharp(jpeg)
    .extract({ left: MARGIN, top: MARGIN, width: INPUT_PIXELS, height: INPUT_PIXELS })
    .raw()
    .toBuffer();
  const values = new Float32Array(rgb.length);
  for (let i = 0; i < values.length; i += 3) {
    for (let channel = 0; channel < 3; channel++)
      values[i + channel] = rgb[i + 2 - channel]! - BLUE_GREEN_RED_MEANS[channel]!;
  }
  const input = new Tensor('float32', values, [1, INPUT_PIXELS, INPUT_PIXELS, 3]);
  const [inputName, outputName] = [session.inputNames[0]!, session.outputNames[0]!];
  return floatsOf(await session.run({ [inputName]: input }), outputName)[1]!;
}
