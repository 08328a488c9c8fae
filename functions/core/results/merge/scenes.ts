/**
 * The scenes of a film from those of its pieces. A boundary counts where the piece that found it owns
 * its time; where a piece only began to look is none, since that lies in its neighbour's time.
 */
import { pieceFolder } from '../../storage/prefix.ts';
import type { SceneRow } from '../rows.ts';
import { type Piece, rowsOf } from './piece.ts';

/** For each piece the scenes that begin in it, numbered anew. */
export function mergeScenes(pieces: readonly Piece[]): SceneRow[][] {
  const whole = pieces.map(wholeScenes);
  const merged: SceneRow[] = [];
  const own = pieces.map((piece, index) => {
    const before = merged.length;
    for (const scene of whole[index]!) {
      const startMs = Math.max(scene.startMs, piece.fromMs);
      const endMs = Math.min(scene.endMs, piece.toMs);
      if (startMs >= endMs) continue;
      const last = merged.at(-1);
      // Nothing to go on with where the piece before failed.
      if (scene.startMs < piece.fromMs && last?.endMs === startMs) last.endMs = endMs;
      else merged.push({ ...scene, sceneId: `s${merged.length + 1}`, startMs, endMs });
    }
    return merged.slice(before);
  });
  withPictures(merged, whole.flat());
  return own;
}

/** A piece's scenes, each in one row. */
function wholeScenes(piece: Piece): SceneRow[] {
  const byId = Map.groupBy(rowsOf(piece, 'scene'), (row) => row.sceneId);
  return [...byId.values()].map((rows) => {
    const thumbnail = rows.find((row) => row.thumbnail !== null)?.thumbnail ?? null;
    return {
      ...rows[0]!,
      endMs: Math.max(...rows.map((row) => row.endMs)),
      thumbnail: thumbnail && pieceFolder(piece.piece) + thumbnail,
    };
  });
}

/** A scene that ends earlier than its piece had seen may have a picture of the next one: it takes a neighbour's. */
function withPictures(merged: SceneRow[], candidates: readonly SceneRow[]): void {
  for (const scene of merged) {
    const shows = ({ keyframeMs }: SceneRow) => keyframeMs >= scene.startMs && keyframeMs < scene.endMs;
    const picture = shows(scene) ? scene : candidates.find(shows);
    if (picture) [scene.keyframeMs, scene.thumbnail] = [picture.keyframeMs, picture.thumbnail];
  }
}
