/** Word error rates of `transcribe`. */
import { type Errors, errorRate, wordErrors } from './edits.ts';
import type { Figure, Measure } from './figures.ts';
import type { Kit } from './kit.ts';
import { germanMachine, librivox, presidentsSpeech, type SpokenSource } from './spoken.ts';

export const speech: Measure = {
  analyzer: 'transcribe',
  async run(kit) {
    const read = await librivox(kit.debianRoot);
    if (!read) kit.skip('wer_en lacks LibriVox: the Debian package pocketsphinx-testdata is not installed.');
    return [
      ...(await rate('wer_en', 'en', [await presidentsSpeech(), ...(read ? [read] : [])], kit)),
      ...(await rate('wer_de', 'de', [await germanMachine(kit.folder)], kit)),
    ];
  },
};

async function rate(name: string, language: string, sources: SpokenSource[], kit: Kit): Promise<Figure[]> {
  const all: Errors[] = [];
  const over: string[] = [];
  let models: string[] = [];
  for (const source of sources) {
    const counts: Errors[] = [];
    for (const { file, text } of source.recordings) {
      const analysis = await kit.analyze('transcribe', file, language);
      if (analysis.outcome.status === 'unsupported_language') {
        kit.skip(`${name} is not measured: ${analysis.outcome.reason}`);
        return [];
      }
      const heard = analysis.rows.flatMap((row) => (row.kind === 'segment' ? [row.text] : [])).join(' ');
      counts.push(wordErrors(text, heard));
      models = analysis.models;
    }
    const words = counts.reduce((sum, { total }) => sum + total, 0);
    over.push(`${source.name}, ${words} words: ${(errorRate(counts) * 100).toFixed(1)} %`);
    all.push(...counts);
  }
  return [{ name, value: errorRate(all), better: 'lower', over: over.join('; '), models }];
}
