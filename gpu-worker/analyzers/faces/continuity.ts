/**
 * Whether a face goes on as the one that was seen last: by where it is and how much it looks like it.
 *
 * Within a shot place tells most of it. Over a cut it tells nothing: a conversation filmed in turns has
 * both heads at the same place, so there the likeness alone decides.
 */
import { centre, iou } from '../../../functions/core/results/boxes.ts';
import { dot } from '../../../functions/core/results/embeddings.ts';
import type { FaceSighting } from './finder.ts';

/**
 * Under it the next face at the same place counts as somebody else's, after a cut from face
 * to face: two people half a second apart had .35, one man turning his head .63 and more.
 */
const MIN_COSINE = 0.5;
/** From it on a face may have moved away from where it was, by up to this many of its widths. */
const MOVED_COSINE = 0.65;
const MOVED_WIDTHS = 2;
const MIN_IOU = 0.15;
/**
 * From it on a face goes on over a cut. Of 22 women in several pictures each, 92 pairs of one had .71 to
 * .99, 370 pairs of two out of one photograph at most .65.
 */
const OVER_CUT_COSINE = 0.75;

/** A face, and the shot it was seen in (shots.ts). */
export type SeenFace = FaceSighting & { shot: number };

/** 0 where it is another face; else the more, the surer, up to 2. */
export function continuity(last: SeenFace, next: SeenFace): number {
  const cosine = dot(last.embedding, next.embedding);
  if (last.shot !== next.shot && cosine < OVER_CUT_COSINE) return 0;
  const overlap = iou(last.box, next.box);
  if (overlap >= MIN_IOU) return cosine >= MIN_COSINE ? overlap + cosine : 0;
  const [[ax, ay], [bx, by]] = [centre(last.box), centre(next.box)];
  const isNear =
    Math.abs(ax - bx) <= MOVED_WIDTHS * last.box.w && Math.abs(ay - by) <= MOVED_WIDTHS * last.box.h;
  return isNear && cosine >= MOVED_COSINE ? cosine : 0;
}
