/** What is measured on one face: its landmarks, and the vector that tells people apart. */
import type { InferenceSession } from 'onnxruntime-node';
import { centre } from '../../../functions/core/results/boxes.ts';
import { normalised } from '../../../functions/core/results/embeddings.ts';
import type { Box, Point } from '../../../functions/core/results/rows.ts';
import { runEach } from '../../models/batches.ts';
import type { Frame } from '../analyzer.ts';
import { floatsOf, pictureTensor, type Region } from '../picture-tensor.ts';

export const LANDMARK_MODEL = 'fr-landmark';
export const EMBEDDING_MODEL = 'faceres';
/** Vectors are compared only within one space. */
export const EMBEDDING_SPACE = 'faceres-1024';

/** The landmark model is asked with the face's box as it is and with a wider one. */
const LANDMARK_SCALES = [1, 1.25];
/** The embedding model expects some room around the face. */
const EMBEDDING_SCALE = 1.2;

export interface Landmarks {
  /** 68 points in the order of iBUG 300-W (https://ibug.doc.ic.ac.uk/resources/300-W/), in fractions of the frame. */
  points: Point[];
  /**
   * How far apart the two answers are, in widths of the face: mean square root over the
   * points. Under .03 for most faces, .05 to .17 for what is none.
   */
  spread: number;
}

/** About 12 ms. */
export async function findLandmarks(session: InferenceSession, frame: Frame, box: Box): Promise<Landmarks> {
  const [tight, wide] = [
    await askForLandmarks(session, frame, box, LANDMARK_SCALES[0]!),
    await askForLandmarks(session, frame, box, LANDMARK_SCALES[1]!),
  ];
  const size = (box.w * frame.width + box.h * frame.height) / 2;
  const squares = tight.map(
    ([x, y], i) => ((x - wide[i]![0]) * frame.width) ** 2 + ((y - wide[i]![1]) * frame.height) ** 2,
  );
  return {
    points: tight.map(([x, y], i): Point => [(x + wide[i]![0]) / 2, (y + wide[i]![1]) / 2]),
    spread: Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length) / size,
  };
}

async function askForLandmarks(
  session: InferenceSession,
  frame: Frame,
  box: Box,
  scale: number,
): Promise<Point[]> {
  const region = regionAround(frame, box, box.w * frame.width * scale, box.h * frame.height * scale);
  const input = await pictureTensor(
    frame,
    { width: 64, height: 64, channels: 1, offset: 0, divisor: 256 },
    region,
  );
  const values = floatsOf(await session.run({ input }), 'output');
  return Array.from(
    { length: 68 },
    (_, i): Point => [
      (region.left + values[i * 2]! * region.width) / frame.width,
      (region.top + values[i * 2 + 1]! * region.height) / frame.height,
    ],
  );
}

/** Eyes, tip of the nose, corners of the mouth, from the 68: left to right, top to bottom. */
export function fiveLandmarks(points: readonly Point[]): Point[] {
  const mean = (...indices: number[]): Point => [
    indices.reduce((sum, i) => sum + points[i]![0], 0) / indices.length,
    indices.reduce((sum, i) => sum + points[i]![1], 0) / indices.length,
  ];
  return [mean(37, 38, 40, 41), mean(43, 44, 46, 47), mean(30), mean(48, 60), mean(54, 64)];
}

/**
 * 1024 numbers for each face, L2-normalised: the cosine of two is .60 to .91 for the same person and
 * at most .48 for others, down to faces of 33 pixels. About 9 ms each. Needs no alignment.
 */
export async function embedFaces(
  session: InferenceSession,
  frame: Frame,
  boxes: readonly Box[],
): Promise<Float32Array[]> {
  const inputs = await Promise.all(
    boxes.map((box) => {
      const side = Math.max(box.w * frame.width, box.h * frame.height) * EMBEDDING_SCALE;
      const format = { width: 224, height: 224, channels: 3, offset: 0, divisor: 1 } as const;
      return pictureTensor(frame, format, regionAround(frame, box, side, side));
    }),
  );
  return (await runEach(session, inputs)).map((results) => normalised(floatsOf(results, 'embedding')));
}

/**
 * A region of `width` by `height` pixels around the box's centre. At the frame's edges it
 * reaches over them: a face keeps its shape there.
 */
export function regionAround(frame: Frame, box: Box, width: number, height: number): Region {
  const [x, y] = centre(box);
  const left = Math.round(x * frame.width - width / 2);
  const top = Math.round(y * frame.height - height / 2);
  return { left, top, width: Math.max(1, Math.round(width)), height: Math.max(1, Math.round(height)) };
}
