/** The parts of the page about the file, and about how the result came to be. Pure. */
import { dollars } from '../../money.ts';
import type { Dossier } from './dossier.ts';
import { type Html, html } from './html.ts';
import { section } from './sections-found.ts';
import type { Wording } from './wording.ts';
import { bytes, date, length, number, oneLine } from './write.ts';

/** @returns what comes before and after what was found. */
export function about(dossier: Dossier, wording: Wording): { facts: Html; after: Html } {
  return {
    facts: fileFacts(dossier, wording),
    after: html`${cost(dossier, wording)}${models(dossier, wording)}${notes(dossier, wording)}`,
  };
}

function fileFacts({ result, createdAt, finishedAt }: Dossier, wording: Wording): Html {
  const { label, language } = wording;
  const { medium, run } = result;
  const streams = run?.medium?.streams.map(({ type, codec }) => `${type} ${codec}`).join(', ');
  const fps = run?.medium?.fps ?? null;
  const size = medium.width && medium.height ? `${medium.width} × ${medium.height}` : null;
  return section(
    wording.heading.file,
    definitions([
      [label.type, medium.contentType],
      [label.size, medium.sizeBytes === null ? null : bytes(medium.sizeBytes, language)],
      [label.duration, medium.durationMs ? length(medium.durationMs, language) : null],
      [label.picture, size && (fps === null ? size : `${size}, ${number(fps, language, 2)} fps`)],
      [label.container, run?.medium?.container ?? null],
      [label.streams, streams || null],
      [label.submitted, date(createdAt, language)],
      [label.finished, finishedAt && date(finishedAt, language)],
      [label.job, result.jobId],
    ]),
  );
}

function cost({ result, costMicrodollars }: Dossier, wording: Wording): Html {
  const { label, language } = wording;
  return section(
    wording.heading.cost,
    definitions([
      [label.total, dollars(costMicrodollars)],
      [label.device, result.run?.device ?? null],
      [label.duration, result.run === null ? null : length(result.run.wallMs, language)],
    ]),
  );
}

function models({ result }: Dossier, wording: Wording): Html | null {
  const runs = result.run?.analyzers ?? [];
  if (runs.length === 0) return null;
  const { label } = wording;
  const rows = runs.flatMap((run) => {
    const used = run.models.length > 0 ? run.models : [null];
    return used.map(
      (model, index) =>
        html`<tr><td>${index === 0 ? oneLine(run.name) : ''}</td><td>${index === 0 ? oneLine(run.version) : ''}</td><td>${index === 0 ? wording.outcome[run.status] : ''}</td><td>${model === null ? '' : oneLine(`${model.id} ${model.version}`)}</td><td>${model === null ? '' : oneLine(model.licence)}</td></tr>`,
    );
  });
  const head = [label.analysis, label.version, label.state, label.model, label.licence].map(
    (name) => html`<th>${name}</th>`,
  );
  return section(
    wording.heading.models,
    html`<table><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>`,
  );
}

function notes({ result }: Dossier, wording: Wording): Html | null {
  if (result.notes.length === 0) return null;
  return section(
    wording.heading.notes,
    html`<ul>${result.notes.map((note) => html`<li>${oneLine(note)}</li>`)}</ul>`,
  );
}

function definitions(rows: [string, string | null][]): Html {
  const known = rows.filter((row): row is [string, string] => row[1] !== null && row[1] !== '');
  return html`<dl>${known.map(([name, value]) => html`<div class="${value.length > 22 ? 'wide' : ''}"><dt>${name}</dt><dd>${oneLine(value)}</dd></div>`)}</dl>`;
}
