/**
 * `npm run quality`: how good the results are, by the real analyzers on media whose truth is known. Prints
 * a table and the figures.
 *
 *   npm run quality                       all of it: some minutes on two cores
 *   npm run quality -- ocr faces          these analyses alone
 *   npm run quality -- --write            writes gpu-worker/QUALITY.md too
 *   npm run quality -- --npm-only         with the models of npm packages, as where there is no pip
 *   npm run quality -- --debian FOLDER    where Debian packages were unpacked that are not installed
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { hasPip } from '../gpu-worker/models/pip.ts';
import { figure } from './bench/figures.ts';
import type { Figure } from './quality/figures.ts';
import { openKit } from './quality/kit.ts';
import { faces } from './quality/measure-faces.ts';
import { objects } from './quality/measure-objects.ts';
import { scenes } from './quality/measure-scenes.ts';
import { speakers } from './quality/measure-speakers.ts';
import { speech } from './quality/measure-speech.ts';
import { text } from './quality/measure-text.ts';
import { markdown, table } from './quality/report.ts';

const measures = [speech, speakers, text, faces, objects, scenes];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    write: { type: 'boolean', default: false },
    'npm-only': { type: 'boolean', default: false },
    debian: { type: 'string', default: '/' },
    threads: { type: 'string', default: '2' },
  },
});

const known = measures.map(({ analyzer }) => analyzer);
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`There is no measure for ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  process.exit(2);
}

const means = { tier: 'packaged', hasPip: !values['npm-only'] && (await hasPip()) } as const;
const skipped: string[] = [];
const kit = await openKit({
  means,
  threads: Number(values.threads),
  debianRoot: values.debian,
  skip(sentence) {
    skipped.push(sentence);
    console.log(sentence);
  },
});
const figures: Figure[] = [];
try {
  for (const measure of measures) {
    if (positionals.length > 0 && !positionals.includes(measure.analyzer)) continue;
    console.log(`measuring ${measure.analyzer} ...`);
    figures.push(...(await measure.run(kit)));
  }
} finally {
  await kit.close();
}

console.log(`\n${table({ figures })}\n`);
for (const { name, over } of figures) console.log(`${name}: ${over}.`);
console.log();
for (const { name, value } of figures) figure(name, value);

if (values.write) {
  const file = path.join(import.meta.dirname, '../gpu-worker/QUALITY.md');
  const report = {
    ...{ figures, skipped, date: new Date().toISOString().slice(0, 10) },
    means: means.hasPip
      ? 'models of npm packages and of wheels that pip fetched'
      : 'models of npm packages alone',
  };
  await writeFile(file, markdown(report));
  console.log(`written: ${file}`);
}
