/** Share of characters that `ocr` reads right, English and German apart. */
import { characterErrors, type Errors, errorRate } from './edits.ts';
import type { Figure, Measure } from './figures.ts';
import type { Kit } from './kit.ts';
import { realPage, renderedPages, type TextLanguage, type TextPicture } from './shown-text.ts';

export const text: Measure = {
  analyzer: 'ocr',
  run: async (kit) => [await accuracy('en', kit), await accuracy('de', kit)],
};

async function accuracy(language: TextLanguage, kit: Kit): Promise<Figure> {
  const name = `ocr_accuracy_${language}`;
  const real = await realPage(language, kit.folder, kit.debianRoot);
  if (!real) kit.skip(`${name} lacks a printed page: the Debian package opencv-doc is not installed.`);
  const pictures = [...(await renderedPages(language, kit.folder)), ...(real ? [real] : [])];
  const counts: { picture: TextPicture; errors: Errors }[] = [];
  let models: string[] = [];
  for (const picture of pictures) {
    const analysis = await kit.analyze('ocr', picture.file);
    const read = analysis.rows.flatMap((row) => (row.kind === 'text' ? [row.text] : [])).join('\n');
    counts.push({ picture, errors: characterErrors(picture.text, read) });
    models = analysis.models;
  }
  const share = (isReal: boolean) => {
    const errors = counts.filter(({ picture }) => picture.isReal === isReal).map((count) => count.errors);
    const characters = errors.reduce((sum, { total }) => sum + total, 0);
    return `${errors.length} ${isReal ? 'printed' : 'rendered'} pages, ${characters} characters: ${(100 * (1 - errorRate(errors))).toFixed(1)} %`;
  };
  return {
    name,
    value: 1 - errorRate(counts.map(({ errors }) => errors)),
    better: 'higher',
    over: [share(false), ...(real ? [share(true)] : [])].join('; '),
    models,
  };
}
