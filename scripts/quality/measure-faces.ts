/** Whether `faces` finds faces, and whether it puts those of one person together and no others. */
import { centre, isInside } from '../../functions/core/results/boxes.ts';
import type { ResultRow } from '../../functions/core/results/rows.ts';
import { type FaceShot, faceFilm } from './face-film.ts';
import type { Measure } from './figures.ts';
import { addCounts, type Counts, f1, pairwise } from './matches.ts';
import { photographs } from './photographs.ts';

interface SeenFace {
  photograph: string;
  shotMs: number;
  identity: string;
  group: string | null;
}

export const faces: Measure = {
  analyzer: 'faces',
  async run(kit) {
    const { file, shots } = await faceFilm(await photographs(kit.folder), kit.folder);
    const { rows, models } = await kit.analyze('faces', file);
    const { seen, made } = seenFaces(rows, shots);
    const there = shots.reduce((sum, shot) => sum + shot.faces.length, 0);
    const noPairs: Counts = { right: 0, found: 0, there: 0 };
    const pairs = [...Map.groupBy(seen, ({ photograph }) => photograph).values()]
      .map(pairwise)
      .reduce(addCounts, noPairs);
    const people = new Set(seen.map(({ identity }) => identity)).size;
    const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
    return [
      {
        name: 'face_group_f1',
        value: f1(pairs),
        better: 'higher',
        over:
          `${people} people out of 6 photographs, each in several shots of a film of ${shots.length} s ` +
          `(mirrored, darker, smaller), ${pairs.there} pairs of one person, with thresholds that were chosen ` +
          `with these people in view; precision ` +
          `${percent(pairs.right / pairs.found)}, recall ${percent(pairs.right / pairs.there)}`,
        models,
      },
      {
        name: 'face_found_f1',
        value: f1({ right: seen.length, found: seen.length + made, there }),
        better: 'higher',
        over: `${there} faces in the shots of that film, some in profile or cut; ${made} found where none is`,
        models,
      },
    ];
  },
};

/** Each face once in each shot, by where it is; and how many tracks show none. */
function seenFaces(rows: readonly ResultRow[], shots: readonly FaceShot[]) {
  const groups = new Map<string, string>();
  for (const row of rows) {
    if (row.kind === 'person') for (const trackId of row.trackIds) groups.set(trackId, row.personId);
  }
  const seen = new Map<string, SeenFace>();
  const made = new Set<string>();
  for (const row of rows) {
    if (row.kind !== 'face') continue;
    for (const { tMs, box } of row.samples) {
      const shot = shots.find(({ startMs, endMs }) => tMs >= startMs && tMs < endMs)!;
      const face = shot.faces
        .filter(({ x, y }) => isInside([x, y], box))
        .sort((a, b) => apart(a, centre(box)) - apart(b, centre(box)))[0];
      const key = `${shot.startMs} ${face?.identity}`;
      if (!face) made.add(`${row.trackId} ${shot.startMs}`);
      else if (!seen.has(key)) {
        const group = groups.get(row.trackId) ?? null;
        seen.set(key, {
          photograph: shot.photograph,
          shotMs: shot.startMs,
          identity: face.identity,
          group,
        });
      }
    }
  }
  return { seen: [...seen.values()], made: made.size };
}

const apart = ({ x, y }: { x: number; y: number }, [cx, cy]: readonly [number, number]) =>
  Math.hypot(x - cx, y - cy);
