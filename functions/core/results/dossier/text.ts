/** The dossier as plain text: the summary, and everything on one time axis. Pure. */
import { dollars } from '../../money.ts';
import { axis } from './axis.ts';
import { type Dossier, type DossierLanguage, wordingOf } from './dossier.ts';
import { summarise } from './summary.ts';
import type { Wording } from './wording.ts';
import { clock, date, length, oneLine } from './write.ts';

const lineCharacters = 100;

export function toDossierText(dossier: Dossier, language: DossierLanguage): string {
  const wording = wordingOf(language);
  const { result } = dossier;
  const entries = axis(result, wording).map(
    ({ startMs, who, text }) => `${clock(startMs)}  ${who}${text === null ? '' : `: ${text}`}`,
  );
  return [
    underlined(oneLine(result.medium.name), '='),
    fileLines(dossier, wording),
    '',
    underlined(wording.heading.summary, '-'),
    ...summarise(result, wording).map(wrapped),
    '',
    underlined(wording.heading.timeline, '-'),
    ...(entries.length > 0 ? entries : [wording.nothing]),
    '',
    underlined(wording.heading.models, '-'),
    ...(result.run?.analyzers ?? []).map((one) => {
      const models = one.models.map((model) => `${model.id} ${model.version} (${model.licence})`);
      return oneLine(
        `${one.name} ${one.version}: ${wording.outcome[one.status]}${models.length > 0 ? `; ${models.join(', ')}` : ''}`,
      );
    }),
    ...result.notes.map((note) => wrapped(oneLine(note))),
    '',
    wrapped(wording.made),
    '',
  ]
    .flat()
    .join('\n');
}

function fileLines({ result, ...job }: Dossier, wording: Wording): string[] {
  const { label, language, heading } = wording;
  const { durationMs, width, height } = result.medium;
  const rows: [string, string | null][] = [
    [label.job, result.jobId],
    [label.duration, durationMs ? length(durationMs, language) : null],
    [label.picture, width && height ? `${width} × ${height}` : null],
    [label.submitted, date(job.createdAt, language)],
    [label.finished, job.finishedAt && date(job.finishedAt, language)],
    [heading.cost, dollars(job.costMicrodollars)],
  ];
  return rows.flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
}

function underlined(text: string, sign: string): string[] {
  return [text, sign.repeat(Math.min(lineCharacters, Math.max(1, [...text].length)))];
}

function wrapped(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line !== '' && line.length + word.length >= lineCharacters) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n');
}
