/** The parts of the page that show what was found. A part whose analysis was not asked for is left out. Pure. */
import type { ResultDocument } from '../schema.ts';
import { objectsOf, peopleOf, type Seen, type Stretch, textsOf, turnsOf } from './facts.ts';
import { type Html, html } from './html.ts';
import type { Pictures } from './pictures.ts';
import type { Wording } from './wording.ts';
import { clock, length, oneLine } from './write.ts';

/** Rows of a table, and times in a row: beyond that the CSV is the place to look. */
const mostRows = 300;
const mostTimes = 12;

export function found(result: ResultDocument, pictures: Pictures, wording: Wording): Html {
  return html`${scenes(result, pictures, wording)}${people(result, pictures, wording)}${transcript(result, wording)}${texts(result, wording)}${objects(result, wording)}${moderation(result, wording)}${signals(result, wording)}`;
}

function scenes({ scenes: all }: ResultDocument, pictures: Pictures, wording: Wording): Html | null {
  if (all === null) return null;
  const withPicture = all.filter((scene) => scene.thumbnail !== null);
  const shown = withPicture.filter((scene) => pictures.has(scene.thumbnail!));
  // Where not all pictures are here, the others would only be empty frames.
  const drawn = shown.length === withPicture.length ? all.slice(0, mostRows) : shown;
  const figures = drawn.map((scene) => {
    const number = all.indexOf(scene) + 1;
    return html`<figure>${picture(scene.thumbnail, wording.scene(number), pictures)}<figcaption><b>${wording.scene(number)}</b><span class="clock">${clock(scene.startMs)}</span> · ${length(scene.endMs - scene.startMs, wording.language)}</figcaption></figure>`;
  });
  const leftOut =
    shown.length < withPicture.length
      ? html`<p class="soft">${wording.picturesLeftOut(shown.length, withPicture.length)}</p>`
      : null;
  return section(
    wording.heading.scenes,
    all.length === 0 ? nothing(wording) : html`<div class="grid">${figures}</div>${leftOut}`,
  );
}

function people(result: ResultDocument, pictures: Pictures, wording: Wording): Html | null {
  if (result.people === null) return null;
  const all = peopleOf(result, wording);
  const figures = all
    .slice(0, mostRows)
    .map(
      (person) =>
        html`<figure>${picture(person.thumbnail, person.name, pictures)}<figcaption><b><bdi>${person.name}</bdi></b>${length(person.totalMs, wording.language)}<br><span class="soft">${times(person.stretches, wording)}</span></figcaption></figure>`,
    );
  return section(
    wording.heading.people,
    all.length === 0
      ? nothing(wording)
      : html`<div class="grid people">${figures}</div>${more(all.length, wording)}<p class="soft">${wording.biometric}</p>`,
  );
}

function transcript(result: ResultDocument, wording: Wording): Html | null {
  if (result.transcript === null) return null;
  const turns = turnsOf(result, wording).map(
    ({ speaker, texts: said }) =>
      html`<div class="turn">${speaker === null ? null : html`<h3>${speaker}</h3>`}${said.map(({ startMs, text }) => html`<div><time>${clock(startMs)}</time><p dir="auto">${text}</p></div>`)}</div>`,
  );
  return section(wording.heading.transcript, turns.length === 0 ? nothing(wording) : html`${turns}`);
}

function texts(result: ResultDocument, wording: Wording): Html | null {
  if (result.texts === null) return null;
  const { heading, label } = wording;
  return seenTable(heading.texts, [label.text, label.seen, label.times], textsOf(result), wording, (text) => [
    html`<td dir="auto">${text.name}</td><td class="n">${length(text.totalMs, wording.language)}</td>`,
  ]);
}

function objects(result: ResultDocument, wording: Wording): Html | null {
  if (result.objects === null) return null;
  const { heading, label } = wording;
  const columns = [label.object, label.count, label.seen, label.times];
  return seenTable(heading.objects, columns, objectsOf(result), wording, (sort) => [
    html`<td>${sort.name}</td><td class="n">${sort.count}</td><td class="n">${length(sort.totalMs, wording.language)}</td>`,
  ]);
}

function seenTable(
  title: string,
  columns: string[],
  all: Seen[],
  wording: Wording,
  cells: (row: Seen) => Html[],
): Html {
  if (all.length === 0) return section(title, nothing(wording));
  const rows = all
    .slice(0, mostRows)
    .map((row) => html`<tr>${cells(row)}<td>${times(row.stretches, wording)}</td></tr>`);
  const head = columns.map((name, index) =>
    index > 0 && index < columns.length - 1 ? html`<th class="n">${name}</th>` : html`<th>${name}</th>`,
  );
  return section(
    title,
    html`<table><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table>${more(all.length, wording)}`,
  );
}

function moderation({ moderation: found }: ResultDocument, wording: Wording): Html | null {
  if (found === null) return null;
  const { findings } = found;
  if (findings.length === 0)
    return section(wording.heading.moderation, html`<p>${wording.nothingToReview}</p>`);
  const rows = findings
    .slice(0, mostRows)
    .map(
      ({ category, startMs, endMs, confidence }) =>
        html`<tr><td class="clock">${clock(startMs)} – ${clock(endMs)}</td><td class="warn">${oneLine(category)}</td><td class="n">${confidence === null ? '' : confidence.toLocaleString(wording.language, { style: 'percent' })}</td></tr>`,
    );
  return section(
    wording.heading.moderation,
    html`<table><tbody>${rows}</tbody></table>${more(findings.length, wording)}`,
  );
}

function signals({ signals: all }: ResultDocument, wording: Wording): Html | null {
  if (all === null || all.length === 0) return null;
  const rows = all
    .slice(0, mostRows)
    .map(
      ({ signal, startMs, endMs }) =>
        html`<tr><td class="clock">${clock(startMs)} – ${clock(endMs)}</td><td>${wording.signal[signal]}</td><td class="n">${length(endMs - startMs, wording.language)}</td></tr>`,
    );
  return section(
    wording.heading.signals,
    html`<table><tbody>${rows}</tbody></table>${more(all.length, wording)}`,
  );
}

export function section(title: string, body: Html): Html {
  return html`<section><h2>${title}</h2>${body}</section>
`;
}

function picture(name: string | null, alternative: string, pictures: Pictures): Html {
  const uri = name === null ? undefined : pictures.get(name);
  return uri === undefined
    ? html`<div class="none"></div>`
    : html`<img src="${uri}" alt="${alternative}" loading="eager">`;
}

function times(stretches: readonly Stretch[], wording: Wording): Html {
  const shown = stretches.slice(0, mostTimes).map(({ startMs }) => clock(startMs));
  const rest = stretches.length - shown.length;
  return html`<span class="clock">${shown.slice(0, 1)}</span>${shown.slice(1).map((time) => html`, <span class="clock">${time}</span>`)}${rest > 0 ? html` ${wording.andMore(rest)}` : null}`;
}

function more(count: number, wording: Wording): Html | null {
  return count > mostRows ? html`<p class="soft">${wording.andMore(count - mostRows)}</p>` : null;
}

function nothing(wording: Wording): Html {
  return html`<p class="soft">${wording.nothing}</p>`;
}
