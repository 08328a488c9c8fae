/**
 * Words of a text as the search sees them: small letters without accents, and nothing between them
 * counts. The index is built in the same way (infra/postgres/migrations/0015_search.sql).
 */

export interface Token {
  /** As it is compared. */
  word: string;
  /** Where it stands in the text: [from, to) in UTF-16 code units. */
  from: number;
  to: number;
}

/** What is neither letter nor digit. Everything else beyond ASCII belongs to words, as in Postgres's parser. */
const between =
  '\\u0000-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u00bf\\u00d7\\u00f7\\u2000-\\u206f\\u2190-\\u2bff\\u3000-\\u3003\\u3008-\\u3020\\uff01-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65';
const wordPattern = new RegExp(`[^${between}]+`, 'g');
const plainLetters: Record<string, string> = { ø: 'o', ł: 'l', đ: 'd', ß: 'ss' };

/** `Größe` is grosse, `Łódź` is lodz. */
export function fold(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]+/g, '')
    .toLowerCase()
    .replace(/[øłđß]/g, (letter) => plainLetters[letter]!);
}

export function tokensOf(text: string): Token[] {
  return [...text.matchAll(wordPattern)].map((match) => ({
    word: fold(match[0]),
    from: match.index,
    to: match.index + match[0].length,
  }));
}
