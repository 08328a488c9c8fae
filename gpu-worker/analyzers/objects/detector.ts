/**
 * Finds objects of the 80 COCO classes in one picture with CenterNet (Zhou et al. 2019,
 * "Objects as Points", https://arxiv.org/abs/1904.07850) on MobileNetV3. About 45 ms a
 * picture on two cores.
 *
 * The network sees 512x512 pixels and gives, on a grid of 128x128, a heat per class whose
 * peaks are the objects' centres, and the distances from there to the four edges.
 */
import type { InferenceSession } from 'onnxruntime-node';
import { boxBetween, iou, suppress } from '../../../functions/core/results/boxes.ts';
import type { Box } from '../../../functions/core/results/rows.ts';
import type { Frame } from '../analyzer.ts';
import { floatsOf, pictureTensor } from '../picture-tensor.ts';
import { cocoLabels } from './coco-labels.ts';

export const OBJECT_MODEL = 'centernet-coco80';

export interface DetectedObject {
  classId: number;
  confidence: number;
  box: Box;
}

const INPUT_PIXELS = 512;
const GRID = 128;
const CELLS = GRID * GRID;
const STRIDE_PIXELS = INPUT_PIXELS / GRID;
const SAME_OBJECT_IOU = 0.5;
/** Two classes on nearly the same box are two opinions about one thing; the surer one is kept. */
const SAME_THING_IOU = 0.75;

/** Sorted by confidence, highest first. */
export async function detectObjects(
  session: InferenceSession,
  frame: Frame,
  minConfidence: number,
): Promise<DetectedObject[]> {
  const input = await pictureTensor(frame, {
    width: INPUT_PIXELS,
    height: INPUT_PIXELS,
    channels: 3,
    offset: 0,
    divisor: 1,
  });
  const results = await session.run({ input });
  const peaks = findPeaks(floatsOf(results, 'heat'), floatsOf(results, 'wh'), minConfidence);
  return suppress(peaks, (kept, candidate) => {
    const overlap = iou(kept.box, candidate.box);
    return overlap >= (kept.classId === candidate.classId ? SAME_OBJECT_IOU : SAME_THING_IOU);
  });
}

/** `heat` is [80, 128, 128]; `edges` is [4, 128, 128]: pixels to the left, top, right and bottom edge. */
function findPeaks(heat: Float32Array, edges: Float32Array, minConfidence: number): DetectedObject[] {
  const found: DetectedObject[] = [];
  for (let i = 0; i < cocoLabels.length * CELLS; i++) {
    const confidence = heat[i]!;
    if (confidence < minConfidence || !isPeak(heat, i)) continue;
    const cell = i % CELLS;
    const x = (cell % GRID) * STRIDE_PIXELS;
    const y = Math.floor(cell / GRID) * STRIDE_PIXELS;
    const [left, top, right, bottom] = [0, 1, 2, 3].map((edge) => edges[edge * CELLS + cell]!);
    const box = boxBetween(
      (x - left!) / INPUT_PIXELS,
      (y - top!) / INPUT_PIXELS,
      (x + right!) / INPUT_PIXELS,
      (y + bottom!) / INPUT_PIXELS,
    );
    if (box.w > 0 && box.h > 0)
      found.push({ classId: Math.floor(i / CELLS), confidence: Math.min(1, confidence), box });
  }
  return found;
}

/** Whether none of the eight cells around is hotter. */
function isPeak(heat: Float32Array, index: number): boolean {
  const column = index % GRID;
  const row = Math.floor(index / GRID) % GRID;
  for (let dy = row > 0 ? -1 : 0; dy <= (row < GRID - 1 ? 1 : 0); dy++) {
    for (let dx = column > 0 ? -1 : 0; dx <= (column < GRID - 1 ? 1 : 0); dx++) {
      if (heat[index + dy * GRID + dx]! > heat[index]!) return false;
    }
  }
  return true;
}
