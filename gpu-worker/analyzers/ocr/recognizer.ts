/** PP-OCR's text recognisers: what does a line of text say? */
import { type InferenceSession, Tensor } from 'onnxruntime-node';
import { LINE_HEIGHT, type LineImage } from './line-image.ts';

/** Widths are padded to this: ONNX Runtime keeps buffers for each shape it has seen. */
const WIDTH_MULTIPLE = 64;

export interface Reading {
  text: string;
  /** Mean probability of its characters, 0..1. */
  confidence: number;
}

/** The characters of the model's outputs: nothing (CTC's blank), those of the file, and a space. */
export const parseDictionary = (file: string): string[] => ['', ...file.split('\n'), ' '];

export interface Recognizer {
  session: InferenceSession;
  dictionary: readonly string[];
  /** Probability from which on a blank is taken for a space (see text-models.ts). */
  leastSpace: number;
}

/** Reads one line. An empty text has confidence 0. */
export async function recognizeLine(recognizer: Recognizer, line: LineImage): Promise<Reading> {
  const { session, dictionary, leastSpace } = recognizer;
  const out = await session.run({ [session.inputNames[0]!]: toTensor(line) });
  const scores = out[session.outputNames[0]!];
  const classes = scores?.dims[2];
  if (!(scores?.data instanceof Float32Array) || classes !== dictionary.length) {
    throw new Error('The text recogniser and its dictionary do not fit together.');
  }
  return decode(scores.data, dictionary, leastSpace);
}

function toTensor({ width, planes }: LineImage): Tensor {
  const padded = Math.ceil(width / WIDTH_MULTIPLE) * WIDTH_MULTIPLE;
  const data = new Float32Array(3 * LINE_HEIGHT * padded);
  for (let row = 0; row < 3 * LINE_HEIGHT; row++) {
    data.set(planes.subarray(row * width, (row + 1) * width), row * padded);
  }
  return new Tensor('float32', data, [1, 3, LINE_HEIGHT, padded]);
}

/**
 * Greedy CTC decoding: the likeliest class of each step, repeats joined, blanks left out.
 * `scores` holds one row of class probabilities for each step; the first class is the blank,
 * the last the space. A blank whose step gives the space at least `leastSpace` is one.
 */
export function decode(scores: Float32Array, dictionary: readonly string[], leastSpace: number): Reading {
  const space = dictionary.length - 1;
  let text = '';
  let sum = 0;
  let count = 0;
  let previous = 0;
  for (let row = 0; row < scores.length; row += dictionary.length) {
    let best = 0;
    for (let i = 1; i < dictionary.length; i++) if (scores[row + i]! > scores[row + best]!) best = i;
    if (best === space || (best === 0 && scores[row + space]! >= leastSpace)) {
      if (!text.endsWith(' ')) text += ' ';
    } else if (best !== 0 && best !== previous) {
      text += dictionary[best];
      sum += scores[row + best]!;
      count++;
    }
    previous = best;
  }
  return { text: inScript(text.trim()), confidence: count === 0 ? 0 : Math.min(sum / count, 1) };
}

/** Chinese punctuation, full width, is what the model takes brackets and colons for outside Chinese text too. */
function inScript(text: string): string {
  return /\p{Script=Han}/u.test(text)
    ? text
    : text.replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0));
}
