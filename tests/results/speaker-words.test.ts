import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withSpeakers } from '../../functions/core/results/speaker-words.ts';

interface Said {
  text: string;
  startMs: number;
  endMs: number;
  confidence: number | null;
}

function word(text: string, startMs: number, endMs = startMs + 300): Said {
  return { text, startMs, endMs, confidence: 0.8 };
}

function segment(words: Said[], text = words.map((one) => one.text).join(' ')) {
  return {
    ...{ startMs: words[0]!.startMs, endMs: words.at(-1)!.endMs, text, language: 'en' },
    ...{ confidence: 0.8, speakerId: null, words },
  };
}

function speaker(speakerId: string, ...turns: [number, number][]) {
  const totalMs = turns.reduce((sum, [startMs, endMs]) => sum + endMs - startMs, 0);
  return { speakerId, totalMs, cohesion: null, turns: turns.map(([startMs, endMs]) => ({ startMs, endMs })) };
}

const said = (segments: ReturnType<typeof withSpeakers>) =>
  segments.map(({ speakerId, text, startMs, endMs }) => [speakerId, text, startMs, endMs]);

describe('an utterance', () => {
  it('of one voice is whole, and its speaker’s', () => {
    const whole = segment([word('hello', 0), word('there', 400)], 'Hello there.');
    expect(withSpeakers([whole], [speaker('sp1', [0, 800])])).toEqual([{ ...whole, speakerId: 'sp1' }]);
  });

  it('is cut where the voice changes, with the text as it was written', () => {
    const both = segment(
      [word('Are', 0), word('you', 400), word('there?', 800), word('Yes,', 1500), word('I am.', 1900)],
      'Are you there?  Yes, I am.',
    );
    const parts = withSpeakers([both], [speaker('sp1', [0, 1200]), speaker('sp2', [1400, 2400])]);
    expect(said(parts)).toEqual([
      ['sp1', 'Are you there?', 0, 1100],
      ['sp2', 'Yes, I am.', 1500, 2200],
    ]);
    expect(parts.map((part) => part.words.length)).toEqual([3, 2]);
  });

  it('of a script without spaces is cut too', () => {
    const both = segment(
      [word('今日', 0), word('は', 400), word('はい', 1000), word('そう', 1400)],
      '今日ははいそう',
    );
    const parts = withSpeakers([both], [speaker('sp1', [0, 800]), speaker('sp2', [900, 2000])]);
    expect(parts.map(({ text }) => text)).toEqual(['今日は', 'はいそう']);
  });

  it('whose words are not those of its text is cut between its words', () => {
    const both = segment(
      [word('one', 0), word('two', 400), word('three', 1000), word('four', 1400)],
      '1, 2, 3, 4',
    );
    const parts = withSpeakers([both], [speaker('sp1', [0, 800]), speaker('sp2', [900, 2000])]);
    expect(parts.map(({ text }) => text)).toEqual(['one two', 'three four']);
  });

  it('without words is whose turn it lies in most', () => {
    const bare = { ...segment([word('x', 0, 3000)]), words: [] };
    expect(said(withSpeakers([bare], [speaker('sp1', [0, 1000]), speaker('sp2', [1000, 3000])]))).toEqual([
      ['sp2', 'x', 0, 3000],
    ]);
  });

  it('far from all turns is nobody’s', () => {
    expect(withSpeakers([segment([word('hum', 60_000)])], [speaker('sp1', [0, 1000])])).toMatchObject([
      { speakerId: null },
    ]);
    expect(withSpeakers([segment([word('hum', 0)])], [])).toMatchObject([{ speakerId: null }]);
  });
});

describe('a word', () => {
  const talk = [speaker('sp1', [0, 2000], [2300, 5000]), speaker('sp2', [2000, 2300])];

  it('alone and short does not change the speaker there and back', () => {
    const words = [word('so', 0), word('I', 1000), word('er', 2000), word('think', 2400), word('not', 3000)];
    expect(withSpeakers([segment(words)], talk)).toMatchObject([{ speakerId: 'sp1' }]);
  });

  it('alone and long does', () => {
    const long = [speaker('sp1', [0, 2000], [3000, 5000]), speaker('sp2', [2000, 3000])];
    const words = [
      word('so', 1000),
      word('so', 1400),
      word('absolutely', 2050, 2900),
      word('fine', 3100),
      word('then', 3500),
    ];
    expect(withSpeakers([segment(words)], long).map((part) => [part.speakerId, part.text])).toEqual([
      ['sp1', 'so so'],
      ['sp2', 'absolutely'],
      ['sp1', 'fine then'],
    ]);
  });

  it('over a change belongs to whom it is mostly said by', () => {
    const change = [speaker('sp1', [0, 1000]), speaker('sp2', [1000, 3000])];
    const words = [
      word('left', 300, 700),
      word('over', 800, 1100),
      word('right', 1400, 1700),
      word('on', 1800, 2100),
    ];
    expect(withSpeakers([segment(words)], change).map((part) => part.text)).toEqual([
      'left over',
      'right on',
    ]);
  });

  it('a little outside of a turn belongs to it', () => {
    expect(withSpeakers([segment([word('late', 1300)])], [speaker('sp1', [0, 1000])])).toMatchObject([
      { speakerId: 'sp1' },
    ]);
  });
});

it('no word is lost, doubled or out of order, whatever the turns', () => {
  const lengths = fc.array(fc.integer({ min: 20, max: 1500 }), { minLength: 1, maxLength: 60 });
  const voices = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 60, maxLength: 60 });
  fc.assert(
    fc.property(lengths, lengths, voices, (wordMs, turnMs, voice) => {
      let atMs = 0;
      const words = wordMs.map((ms, i) => {
        atMs += ms;
        return word(`w${i}`, atMs - ms, atMs);
      });
      const turns = new Map<number, [number, number][]>();
      atMs = 0;
      for (const [i, ms] of turnMs.entries()) {
        const who = voice[i]!;
        turns.set(who, [...(turns.get(who) ?? []), [atMs, atMs + ms]]);
        atMs += ms;
      }
      const parts = withSpeakers(
        [segment(words)],
        [...turns].map(([who, own]) => speaker(`sp${who}`, ...own)),
      );
      expect(parts.flatMap((part) => part.words)).toEqual(words);
      expect(parts.map((part) => part.text).join(' ')).toBe(segment(words).text);
      for (const [i, part] of parts.entries()) expect(part.speakerId).not.toBe(parts[i - 1]?.speakerId);
    }),
  );
});
