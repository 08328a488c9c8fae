/**
 * Average precision of a detector at an overlap of half, "AP50": how many of the boxes that are there
 * are found, and how many of those found are right, over all confidences at once. Averaged over the
 * classes it is mAP50. As in COCO's evaluation, the precision at each recall is the best one at that
 * recall or a higher one; here the area is summed exactly instead of at 101 points.
 * Source: https://cocodataset.org/#detection-eval
 */
import { iou } from '../../functions/core/results/boxes.ts';
import type { Box } from '../../functions/core/results/rows.ts';

export interface Labelled {
  picture: string;
  label: string;
  box: Box;
}

export type Found = Labelled & { confidence: number };

const SAME_OBJECT_IOU = 0.5;

/** 0..1, the mean over the labels that are there; found things of other labels lower nothing. */
export function meanAveragePrecision(found: readonly Found[], there: readonly Labelled[]): number {
  const labels = [...new Set(there.map(({ label }) => label))];
  const precisions = labels.map((label) =>
    averagePrecision(
      found.filter((object) => object.label === label),
      there.filter((object) => object.label === label),
    ),
  );
  return precisions.reduce((sum, value) => sum + value, 0) / labels.length;
}

/** Of one class. */
export function averagePrecision(found: readonly Found[], there: readonly Labelled[]): number {
  const taken = new Set<Labelled>();
  const points: { precision: number; recall: number }[] = [];
  let right = 0;
  for (const [i, object] of found.toSorted((a, b) => b.confidence - a.confidence).entries()) {
    const match = bestMatch(object, there, taken);
    if (match) {
      taken.add(match);
      right++;
    }
    points.push({ precision: right / (i + 1), recall: right / there.length });
  }
  let area = 0;
  let recall = 0;
  for (const [i, point] of points.entries()) {
    if (point.recall === recall) continue;
    area += (point.recall - recall) * Math.max(...points.slice(i).map(({ precision }) => precision));
    recall = point.recall;
  }
  return area;
}

function bestMatch(
  object: Found,
  there: readonly Labelled[],
  taken: ReadonlySet<Labelled>,
): Labelled | undefined {
  return there
    .filter((candidate) => candidate.picture === object.picture && !taken.has(candidate))
    .map((candidate) => ({ candidate, overlap: iou(candidate.box, object.box) }))
    .filter(({ overlap }) => overlap >= SAME_OBJECT_IOU)
    .sort((a, b) => b.overlap - a.overlap)[0]?.candidate;
}
