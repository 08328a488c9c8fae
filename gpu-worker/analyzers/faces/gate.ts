/**
 * Tells faces from what the face detector only takes for faces: dogs, cats, patterns.
 *
 * The landmark model, asked twice with boxes of different size, gives almost the same
 * answer on a whole face (spread .006 to .05 on 9 of 10) and different ones elsewhere: on
 * 20 finds on dogs and cats, 15 of them film frames, the spread was .049 to .174. Faces
 * that the picture's edge cuts are as unsteady. Between the two the object detector
 * decides. With both, all 20 were refused; of 146 real faces 4 were, each about 40 pixels
 * wide on a picture of a screen.
 */
import { centre, isInside } from '../../../functions/core/results/boxes.ts';
import { PERSON_CLASS } from '../objects/coco-labels.ts';
import type { DetectedObject } from '../objects/detector.ts';
import type { DetectedFace } from './detector.ts';

/** Under it no second opinion is needed, which saves the object detector on most frames. */
export const CLEAR_SPREAD = 0.03;
/** Where objects do not decide: neither a person nor an animal around, as on posters, or both. */
const UNSURE_SPREAD = 0.045;

const FIRST_ANIMAL_CLASS = 14;
const LAST_ANIMAL_CLASS = 23;

/** `objects` are those of the whole frame from .2 on; not needed up to `CLEAR_SPREAD`. */
export function isFace(
  face: DetectedFace,
  landmarkSpread: number,
  objects: readonly DetectedObject[],
): boolean {
  if (landmarkSpread <= CLEAR_SPREAD) return true;
  const middle = centre(face.box);
  const around = objects.filter((object) => isInside(middle, object.box));
  const isAnimal = around.some(
    ({ classId }) => classId >= FIRST_ANIMAL_CLASS && classId <= LAST_ANIMAL_CLASS,
  );
  const isPerson = around.some(({ classId }) => classId === PERSON_CLASS);
  if (isPerson !== isAnimal) return isPerson;
  return landmarkSpread <= UNSURE_SPREAD;
}
