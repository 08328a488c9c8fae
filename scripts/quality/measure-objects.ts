/** How well `objects` finds what is on six photographs. */
import { boxBetween } from '../../functions/core/results/boxes.ts';
import { averagePrecision, type Found, type Labelled, meanAveragePrecision } from './average-precision.ts';
import type { Measure } from './figures.ts';
import { photographs } from './photographs.ts';

export const objects: Measure = {
  analyzer: 'objects',
  async run(kit) {
    const there: Labelled[] = [];
    const found: Found[] = [];
    let models: string[] = [];
    for (const photograph of await photographs(kit.folder)) {
      const picture = photograph.name;
      there.push(
        ...photograph.objects.map(({ label, box }) => ({ picture, label, box: boxBetween(...box) })),
      );
      const analysis = await kit.analyze('objects', photograph.file);
      for (const row of analysis.rows) {
        if (row.kind !== 'object') continue;
        const { label, confidence, samples } = row;
        found.push({ picture, label, box: samples[0]!.box, confidence: confidence ?? 0 });
      }
      models = analysis.models;
    }
    const byLabel = [...Map.groupBy(there, ({ label }) => label)].map(([label, those]) => {
      const precision = averagePrecision(
        found.filter((object) => object.label === label),
        those,
      );
      return `${those.length} × ${label} ${precision.toFixed(2)}`;
    });
    return [
      {
        name: 'object_map50',
        value: meanAveragePrecision(found, there),
        better: 'higher',
        over: `6 photographs, boxes drawn by hand, average precision of each kind: ${byLabel.join(', ')}`,
        models,
      },
    ];
  },
};
