/**
 * Finds faces in one picture: Ultra-Light-Fast-Generic-Face-Detector, RFB-320
 * (https://github.com/Linzaer/Ultra-Light-Fast-Generic-Face-Detector-1MB). About 10 ms.
 * It takes animals for people now and then, with .99 confidence; see `gate.ts`.
 */
import type { InferenceSession } from 'onnxruntime-node';
import { boxBetween, iou, suppress } from '../../../functions/core/results/boxes.ts';
import type { Box } from '../../../functions/core/results/rows.ts';
import type { Frame } from '../analyzer.ts';
import { floatsOf, pictureTensor } from '../picture-tensor.ts';

export const FACE_DETECTOR_MODEL = 'fr-detect';

export interface DetectedFace {
  confidence: number;
  box: Box;
}

const SAME_FACE_IOU = 0.4;

/** Sorted by confidence, highest first. */
export async function detectFaces(
  session: InferenceSession,
  frame: Frame,
  minConfidence: number,
): Promise<DetectedFace[]> {
  const input = await pictureTensor(frame, {
    width: 320,
    height: 240,
    channels: 3,
    offset: 127,
    divisor: 128,
  });
  const results = await session.run({ input });
  const scores = floatsOf(results, 'scores');
  const corners = floatsOf(results, 'boxes');
  const found: DetectedFace[] = [];
  for (let i = 0; i < scores.length / 2; i++) {
    const confidence = scores[i * 2 + 1]!;
    if (confidence < minConfidence) continue;
    const [left, top, right, bottom] = corners.subarray(i * 4, i * 4 + 4);
    const box = boxBetween(left!, top!, right!, bottom!);
    if (box.w > 0 && box.h > 0) found.push({ confidence: Math.min(1, confidence), box });
  }
  return suppress(found, (kept, candidate) => iou(kept.box, candidate.box) >= SAME_FACE_IOU);
}
