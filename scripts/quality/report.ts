/** The figures as a table, for the screen and for a file of Markdown. */
import { cpus, type as systemType } from 'node:os';
import type { Figure } from './figures.ts';

export interface Report {
  figures: readonly Figure[];
  skipped: readonly string[];
  /** Day, as YYYY-MM-DD. */
  date: string;
  means: string;
}

const rates = (figure: Figure) =>
  figure.better === 'lower' ? `${(figure.value * 100).toFixed(1)} %` : figure.value.toFixed(3);

export function table({ figures }: Pick<Report, 'figures'>): string {
  const rows = figures.map((figure) => [figure.name, rates(figure), figure.models.join(', ') || '-']);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function markdown({ figures, skipped, date, means }: Report): string {
  const rows = figures.map(
    (figure) =>
      `| \`${figure.name}\` | ${rates(figure)} | ${figure.better} | ${figure.over} | ${figure.models.join(', ') || 'none'} |`,
  );
  return [
    '# How good the results are',
    '',
    `Written by \`npm run quality -- --write\` on ${date}, ${systemType()}, ${cpus()[0]?.model.trim() ?? 'unknown processor'}; ${means}.`,
    '',
    'These sets are small and say whether something works and whether a change made it worse, not how it',
    'compares with other systems. Words are compared in lower case, without punctuation, hyphens as',
    'spaces and "Mr" as "mister"; numbers as they are written. Characters are compared as they are, case',
    'and punctuation too.',
    '',
    '| figure | value | better | measured on | models |',
    '|---|---|---|---|---|',
    ...rows,
    ...(skipped.length > 0 ? ['', 'Not measured:', '', ...skipped.map((sentence) => `- ${sentence}`)] : []),
    '',
  ].join('\n');
}
