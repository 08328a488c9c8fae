/**
 * The dossier as one page that stands alone: no script, no address to load anything from, its pictures
 * inside it. Meant to be printed as it is. Pure.
 */
import { createHash } from 'node:crypto';
import { type Dossier, type DossierLanguage, wordingOf } from './dossier.ts';
import { type Html, html } from './html.ts';
import type { Pictures } from './pictures.ts';
import { about } from './sections-about.ts';
import { found } from './sections-found.ts';
import { strip } from './strip.ts';
import { style } from './style.ts';
import { summarise } from './summary.ts';
import { oneLine } from './write.ts';

/**
 * What the page may do, as its header and in itself, since a saved page has no header: show its own
 * pictures and its own style. Nothing else, whatever a text in it tried.
 */
export const pagePolicy = [
  "default-src 'none'",
  'img-src data:',
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

export function toDossierPage(dossier: Dossier, pictures: Pictures, language: DossierLanguage): string {
  const wording = wordingOf(language);
  const { result } = dossier;
  const name = oneLine(result.medium.name);
  const [first, ...rest] = summarise(result, wording);
  const overview = strip(result, wording);
  const { facts, after } = about(dossier, wording);
  const page: Html = html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${pagePolicy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${name}</title>
<style>STYLE</style>
</head>
<body>
<header><p>${wording.heading.dossier}</p><h1><bdi>${name}</bdi></h1></header>
<section><h2>${wording.heading.summary}</h2><p class="lead">${first!}</p>${rest.map((sentence) => html`<p>${sentence}</p>`)}</section>
${overview && html`<section><h2>${wording.heading.overview}</h2>${overview}</section>`}
${facts}
${found(result, pictures, wording)}
${after}
<footer><p class="soft">${wording.made}</p></footer>
</body>
</html>
`;
  // The policy names the style by its digest, so it goes in exactly as it is: it is ours.
  return page.text.replace('<style>STYLE</style>', () => `<style>${style}</style>`);
}
