/**
 * Everything about the faces of one frame: detected on a small copy of it, refused where
 * they are none, described from the full frame.
 */
import type { Box, Point } from '../../../functions/core/results/rows.ts';
import type { ModelStore } from '../../models/store.ts';
import type { Frame } from '../analyzer.ts';
import { detectObjects, OBJECT_MODEL } from '../objects/detector.ts';
import type { Sighting } from '../tracks.ts';
import { EMBEDDING_MODEL, embedFaces, findLandmarks, fiveLandmarks, LANDMARK_MODEL } from './description.ts';
import { detectFaces, FACE_DETECTOR_MODEL } from './detector.ts';
import { CLEAR_SPREAD, isFace } from './gate.ts';

export const FACE_MODELS = [FACE_DETECTOR_MODEL, LANDMARK_MODEL, EMBEDDING_MODEL, OBJECT_MODEL];

export interface FaceSighting extends Sighting {
  /** Eyes, nose, corners of the mouth. */
  landmarks: Point[];
  /** How much can be told from it, 0..1: large, frontal, steady. */
  quality: number;
  /** Of length 1. */
  embedding: Float32Array;
}

const MIN_CONFIDENCE = 0.7;
const MIN_OBJECT_CONFIDENCE = 0.2;
/** Under it the embedding says nothing. */
const MIN_FACE_PIXELS = 20;
/** From here on more pixels do not help the embedding. */
const FULL_QUALITY_PIXELS = 112;

/** The faces of a frame, most confident first. */
export type FaceFinder = (frame: Frame) => Promise<FaceSighting[]>;

export async function openFaceFinder(models: ModelStore): Promise<FaceFinder> {
  const detector = await models.session(FACE_DETECTOR_MODEL);
  const landmarker = await models.session(LANDMARK_MODEL);
  const embedder = await models.session(EMBEDDING_MODEL);
  const objectDetector = await models.session(OBJECT_MODEL);

  return async function findFaces(frame) {
    const candidates = [];
    for (const face of await detectFaces(detector, frame, MIN_CONFIDENCE)) {
      if (facePixels(face.box, frame) < MIN_FACE_PIXELS) continue;
      candidates.push({ face, ...(await findLandmarks(landmarker, frame, face.box)) });
    }
    const objects = candidates.some(({ spread }) => spread > CLEAR_SPREAD)
      ? await detectObjects(objectDetector, frame, MIN_OBJECT_CONFIDENCE)
      : [];
    const found = candidates.filter(({ face, spread }) => isFace(face, spread, objects));
    const embeddings = await embedFaces(
      embedder,
      frame,
      found.map(({ face }) => face.box),
    );
    return found.map(({ face, points, spread }, index) => {
      const landmarks = fiveLandmarks(points);
      const size = Math.min(1, facePixels(face.box, frame) / FULL_QUALITY_PIXELS);
      const quality = face.confidence * size * frontality(landmarks, frame) * (1 - spread);
      return { tMs: frame.tMs, ...face, landmarks, quality, embedding: embeddings[index]! };
    });
  };
}

function facePixels(box: Box, frame: Frame): number {
  return Math.min(box.w * frame.width, box.h * frame.height);
}

/** 1 where the nose is in the middle between the eyes, towards 0 the more the head is turned. */
function frontality(landmarks: Point[], frame: Frame): number {
  const [left, right, nose] = landmarks.map(([x, y]) => [x * frame.width, y * frame.height]) as [
    Point,
    Point,
    Point,
  ];
  const [dx, dy] = [right[0] - left[0], right[1] - left[1]];
  const squaredDistance = dx * dx + dy * dy;
  if (squaredDistance === 0) return 0;
  // Where along the line through the eyes the nose lies: 0 at the left eye, 1 at the right one.
  const along = ((nose[0] - left[0]) * dx + (nose[1] - left[1]) * dy) / squaredDistance;
  return Math.max(0, 1 - Math.abs(along - 0.5));
}
