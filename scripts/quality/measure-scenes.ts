/** Whether `scenes` finds the changes of shot, and no others. */
import { cutFilm } from './cut-film.ts';
import type { Measure } from './figures.ts';
import { f1, matchMoments } from './matches.ts';
import { photographs } from './photographs.ts';

/** A dissolve of this film lasts 800 ms. */
const TOLERANCE_MS = 500;

export const scenes: Measure = {
  analyzer: 'scenes',
  async run(kit) {
    const { file, changes } = await cutFilm(await photographs(kit.folder), kit.folder);
    const { rows, models } = await kit.analyze('scenes', file);
    const starts = new Map(
      rows.flatMap((row) => (row.kind === 'scene' ? [[row.sceneId, row.startMs] as const] : [])).toReversed(),
    );
    const found = [...starts.values()].filter((startMs) => startMs > 0);
    const all = matchMoments(
      found,
      changes.map(({ atMs }) => atMs),
      TOLERANCE_MS,
    );
    const kinds = [...Map.groupBy(changes, ({ way }) => way)].map(([way, those]) => {
      const { right } = matchMoments(
        found,
        those.map(({ atMs }) => atMs),
        TOLERANCE_MS,
      );
      return `${right} of ${those.length} ${way === 'fade' ? 'fades through black' : `${way}s`}`;
    });
    return [
      {
        name: 'scenes_f1',
        value: f1(all),
        better: 'higher',
        over: `a film made of photographs with camera noise and pans: ${kinds.join(', ')}; ${all.found - all.right} found where none is`,
        models,
      },
    ];
  },
};
