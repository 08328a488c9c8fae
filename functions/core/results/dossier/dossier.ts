/**
 * The dossier: a result as one readable document, for people who print, file or hand on what was
 * found. Pure; pictures.ts reads the pictures for it.
 *
 *   facts.ts     what the summary, the axis and the page are made from
 *   summary.ts   the result in sentences
 *   axis.ts      everything on one time axis
 *   text.ts      as plain text
 *   page.ts      as a page without scripts, made to be printed
 *   english.ts, german.ts   its two languages
 */
import type { ResultDocument } from '../schema.ts';
import { english } from './english.ts';
import { german } from './german.ts';
import type { Wording } from './wording.ts';

export const dossierLanguages = ['en', 'de'] as const;
export type DossierLanguage = (typeof dossierLanguages)[number];

export interface Dossier {
  result: ResultDocument;
  /** Of all that it has cost by now. */
  costMicrodollars: number;
  createdAt: string;
  finishedAt: string | null;
}

export function wordingOf(language: DossierLanguage): Wording {
  return language === 'de' ? german : english;
}
