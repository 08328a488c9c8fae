import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { firstMatchMs, snippetOf } from '../../functions/core/results/search/marks.ts';
import { readQuery, toTsQuery } from '../../functions/core/results/search/query.ts';

/** What a query marks in a text. */
function marked(text: string, query: string): string[] {
  const snippet = snippetOf(text, readQuery(query));
  return snippet.marks.map(({ from, to }) => snippet.text.slice(from, to));
}

describe('a query', () => {
  it.each([
    ['Hello World', 'world', ['World']],
    ['Hello World', 'wor', ['World']],
    ['Hello World', 'hello wor', ['Hello', 'World']],
    ['Hello World', 'hel world', ['World']],
    ['Die Größe der Straße', 'GROSSE', ['Größe']],
    ['Die Größe der Straße', 'groesse strasse', ['Größe', 'Straße']],
    ['Schoene Gruesse', 'schöne grüße', ['Schoene', 'Gruesse']],
    ['Schöne Grüße', 'schone grus', ['Schöne', 'Grüße']],
    ['Cafe\u0301 Łódź', 'café lodz', ['Cafe\u0301', 'Łódź']],
    ['Привет мир', 'ПРИВЕТ', ['Привет']],
    ['good morning and good night', '"good night"', ['good', 'night']],
    ['good morning', '"good night"', []],
    ['a well-known e-mail', 'well-known', ['well', 'known']],
    ['one two three', 'one -two', ['one']],
    ['nights', '"night"', []],
  ])('finds in %j with %j the words %j', (text, query, words) => {
    expect(marked(text, query)).toEqual(words);
  });

  it('of nothing but signs or words that must not be there asks for nothing', () => {
    for (const text of ['', '   ', '"', '"" --', "';:*&|!()<->", '-not', '-"not that"'])
      expect(toTsQuery(readQuery(text))).toBeNull();
  });

  it('never has a sign that the database would read as syntax', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        const query = toTsQuery(readQuery(text)) ?? '';
        const words = [...query.matchAll(/'([^']*)'/g)].map((match) => match[1]!);
        expect(words.join('')).not.toMatch(/[\\\0]/);
        expect(query.replaceAll(/'[^']*'/g, 'w')).toMatch(/^[w!&|<\->() :*]*$/);
      }),
    );
  });

  it('has at most twenty terms', () => {
    expect(readQuery('word '.repeat(500))).toHaveLength(20);
  });
});

describe('a snippet', () => {
  it('is the stretch around the first match, cut between words', () => {
    const text = `${'before '.repeat(60)}needle ${'after '.repeat(60)}needle`;
    const snippet = snippetOf(text, readQuery('needle'));
    expect(snippet.text).toMatch(/^…(before )+needle( after)+…$/);
    expect(snippet.text.length).toBeLessThanOrEqual(202);
    expect(snippet.marks.map(({ from, to }) => snippet.text.slice(from, to))).toEqual(['needle']);
  });

  it('marks what is in it, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 600 }),
        fc.string({ maxLength: 3 }),
        (text, query) => {
          const snippet = snippetOf(text, readQuery(query));
          for (const { from, to } of snippet.marks) {
            expect(from).toBeLessThan(to);
            expect(to).toBeLessThanOrEqual(snippet.text.length);
          }
          expect(snippet.text.isWellFormed()).toBe(true);
        },
      ),
    );
  });
});

describe('the moment of a match', () => {
  const words = [
    { text: 'Good', startMs: 1000, endMs: 1200 },
    { text: 'morning,', startMs: 1300, endMs: 1600 },
    { text: 'London.', startMs: 4000, endMs: 4400 },
  ];
  const segment = { text: 'Good morning, London.', startMs: 1000, endMs: 4400, words };

  it('is the start of its first word', () => {
    expect(firstMatchMs(segment, readQuery('london'))).toBe(4000);
    expect(firstMatchMs(segment, readQuery('london morning'))).toBe(1300);
    expect(firstMatchMs(segment, readQuery('"morning london"'))).toBe(1300);
  });

  it('is reckoned from the characters where the recogniser gave no words', () => {
    const moment = firstMatchMs({ ...segment, words: [] }, readQuery('london'));
    expect(moment).toBeGreaterThan(2900);
    expect(moment).toBeLessThan(3400);
  });
});
