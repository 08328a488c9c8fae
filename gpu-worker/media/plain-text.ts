/**
 * Text that a file says of itself, as we keep it: a stranger wrote it. Postgres takes neither NUL nor half
 * of a surrogate pair in JSON, a terminal obeys control characters, and a title may be megabytes long.
 */

/** Space, control characters, and those that turn the direction of what follows. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const blank = /[\s\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** At most `maxLength` characters on one line; null where nothing is left. */
export function plainText(text: string | null | undefined, maxLength: number): string | null {
  if (!text) return null;
  // What is cut off is not looked at, however long it is.
  const line = text
    .slice(0, maxLength * 2)
    .replace(blank, ' ')
    .trim()
    .slice(0, maxLength);
  // Halves of pairs: those in the file, and the one that the cut may have left.
  return line.replace(/\p{Surrogate}/gu, '').trim() || null;
}
