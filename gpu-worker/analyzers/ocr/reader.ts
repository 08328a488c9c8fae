/**
 * Reads the text in one picture with PP-OCR: a detector finds boxes around lines, each
 * box is cut out upright, and a recogniser reads it.
 * Source: https://github.com/PaddlePaddle/PaddleOCR (tools/infer/predict_system.py).
 */
import type { InferenceSession } from 'onnxruntime-node';
import type { ModelStore } from '../../models/store.ts';
import type { Frame } from '../analyzer.ts';
import { detectText } from './detector.ts';
import type { Quad } from './geometry.ts';
import { cutLine, readingDirections } from './line-image.ts';
import { inReadingOrder, joinNeighbours, type Line } from './reading-order.ts';
import { type Reading, type Recognizer, recognizeLine } from './recognizer.ts';
import { openRecognizer, type TextModels } from './text-models.ts';

/**
 * Below this a reading is dropped. PaddleOCR's default (drop_score). In 11 photographs, what was
 * no text was read with at most 0.42, and what could be made out by eye with at least 0.66.
 */
const LEAST_CONFIDENCE = 0.5;
/** For single characters: edges of clothes and faces were read as "I", "d" and "6" with up to 0.77. */
const LEAST_CONFIDENCE_ALONE = 0.9;

export class TextReader {
  readonly #detector: InferenceSession;
  readonly #recognizer: Recognizer;

  private constructor(detector: InferenceSession, recognizer: Recognizer) {
    this.#detector = detector;
    this.#recognizer = recognizer;
  }

  static async open(store: ModelStore, models: TextModels): Promise<TextReader> {
    return new TextReader(await store.session(models.detector), await openRecognizer(store, models));
  }

  /** The lines of text in reading order, their corners as fractions 0..1 of the picture. */
  async read(frame: Frame): Promise<Line[]> {
    const lines: Line[] = [];
    for (const quad of await detectText(this.#detector, frame)) {
      const reading = await this.#readBox(frame, quad);
      if (!isBelievable(reading)) continue;
      lines.push({ ...reading, quad });
    }
    return joinNeighbours(inReadingOrder(lines)).map((line) => ({
      ...line,
      quad: asFractions(line.quad, frame),
    }));
  }

  async #readBox(frame: Frame, quad: Quad): Promise<Reading> {
    let best: Reading = { text: '', confidence: 0 };
    for (const directed of readingDirections(quad)) {
      const reading = await recognizeLine(this.#recognizer, cutLine(frame, directed));
      if (reading.confidence > best.confidence) best = reading;
    }
    return best;
  }
}

function isBelievable({ text, confidence }: Reading): boolean {
  if (text === '') return false;
  return confidence >= (text.length === 1 ? LEAST_CONFIDENCE_ALONE : LEAST_CONFIDENCE);
}

function asFractions([a, b, c, d]: Quad, { width, height }: Frame): Quad {
  const unit = (value: number) => Math.min(Math.max(value, 0), 1);
  const point = ([x, y]: readonly [number, number]) => [unit(x / width), unit(y / height)] as const;
  return [point(a), point(b), point(c), point(d)];
}
