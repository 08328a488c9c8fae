import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cues, toSrt, toText, toVtt } from '../../functions/core/results/subtitles.ts';

type Segment = Parameters<typeof toVtt>[0][number];

function utterance(text: string, startMs: number, endMs: number, more: Partial<Segment> = {}): Segment {
  return { startMs, endMs, text, language: 'en', confidence: null, speakerId: null, words: [], ...more };
}

/** An utterance whose words take turns in its time. */
function spoken(texts: string[], startMs: number, wordMs: number, more: Partial<Segment> = {}): Segment {
  const words = texts.map((text, i) => ({
    startMs: startMs + i * wordMs,
    endMs: startMs + (i + 1) * wordMs,
    text,
    confidence: null,
  }));
  return utterance(texts.join(' '), startMs, startMs + texts.length * wordMs, { words, ...more });
}

/** The cues of a WebVTT text, read the way a player does. */
function readVtt(vtt: string): { startMs: number; endMs: number; lines: string[] }[] {
  const [header, ...blocks] = vtt.trimEnd().split('\n\n');
  expect(header).toBe('WEBVTT');
  return blocks.map((block) => {
    const [timing, ...lines] = block.split('\n');
    const [from, to] = timing!.split(' --> ').map((clock) => {
      const [, h, m, s, ms] = /^(\d{2,}):(\d\d):(\d\d)\.(\d{3})$/.exec(clock)!;
      return ((Number(h) * 60 + Number(m)) * 60 + Number(s)) * 1000 + Number(ms);
    });
    return { startMs: from!, endMs: to!, lines: lines.map(unescapeVtt) };
  });
}

function unescapeVtt(line: string): string {
  return line
    .replace(/^<v [^>]*>/, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

const words = fc.array(fc.stringMatching(/^[A-Za-zäß0-9&<>'.,-]{1,14}$/), { minLength: 1, maxLength: 40 });
const longWords = fc.array(fc.stringMatching(/^[a-z]{1,60}$/), { minLength: 1, maxLength: 20 });
/** Utterances one after the other, as a recogniser gives them. */
const talks = fc
  .array(
    fc.record({
      words: fc.oneof(words, longWords),
      wordMs: fc.integer({ min: 0, max: 900 }),
      pauseMs: fc.nat(3000),
    }),
    { maxLength: 6 },
  )
  .map((parts) => {
    let startMs = 0;
    return parts.map((part) => {
      startMs += part.pauseMs;
      const segment = spoken(part.words, startMs, part.wordMs);
      startMs = segment.endMs;
      return segment;
    });
  });

describe('cues', () => {
  it('have every word once and in order', () => {
    fc.assert(
      fc.property(talks, (segments) => {
        const shown = readVtt(toVtt(segments)).flatMap((cue) => cue.lines.flatMap((line) => line.split(' ')));
        expect(shown).toEqual(segments.flatMap((segment) => segment.words.map((word) => word.text)));
      }),
    );
  });

  it('have at most two lines of 42 characters, except for a longer word', () => {
    fc.assert(
      fc.property(talks, (segments) => {
        for (const { lines } of readVtt(toVtt(segments))) {
          expect(lines.length).toBeLessThanOrEqual(2);
          for (const line of lines) expect(line.length <= 42 || !line.includes(' '), line).toBe(true);
        }
      }),
    );
  });

  it('last at most six seconds and follow each other', () => {
    fc.assert(
      fc.property(talks, (segments) => {
        let lastMs = 0;
        for (const { startMs, endMs } of readVtt(toVtt(segments))) {
          expect(endMs).toBeGreaterThan(startMs);
          expect(endMs - startMs).toBeLessThanOrEqual(6000);
          expect(startMs).toBeGreaterThanOrEqual(lastMs);
          lastMs = startMs;
        }
      }),
    );
  });

  it('begin in order also where people talk at the same time or a recogniser’s times go back', () => {
    const word = fc.record({
      startMs: fc.nat(20_000),
      endMs: fc.nat(20_000),
      text: fc.string(),
      confidence: fc.constant(null),
    });
    const segment = fc
      .record({
        startMs: fc.nat(20_000),
        endMs: fc.nat(20_000),
        text: fc.string(),
        words: fc.array(word, { maxLength: 8 }),
      })
      .map((it) => utterance(it.text, it.startMs, it.endMs, { words: it.words }));
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
        const made = cues(segments);
        for (const [i, cue] of made.entries()) {
          expect(cue.endMs).toBeGreaterThan(cue.startMs);
          expect(cue.endMs - cue.startMs).toBeLessThanOrEqual(6000);
          expect(cue.startMs).toBeGreaterThanOrEqual(made[i - 1]?.startMs ?? 0);
          for (const line of cue.lines) expect(line).toMatch(/^\S(.*\S)?$/u);
        }
      }),
    );
  });

  it('are as full as they may be, with lines of similar length', () => {
    const [cue, ...rest] = cues([
      spoken('the quick brown fox jumps over the lazy dog and runs away'.split(' '), 0, 100),
    ]);
    expect(rest).toEqual([]);
    expect(cue!.lines).toEqual(['the quick brown fox jumps over', 'the lazy dog and runs away']);
  });

  it('share out the time of an utterance that has no words', () => {
    const text = Array.from({ length: 40 }, (_, i) => `word${i}`).join(' ');
    const made = cues([utterance(text, 10_000, 30_000)]);
    expect(made.flatMap((cue) => cue.lines).join(' ')).toBe(text);
    expect(made.length).toBeGreaterThan(3);
    expect(made[0]!.startMs).toBe(10_000);
    expect(made.at(-1)!.endMs).toBe(30_000);
    for (const [i, cue] of made.slice(1).entries()) expect(cue.startMs).toBe(made[i]!.endMs);
  });

  it('put together what the recogniser cut, as the text of the utterance has it', () => {
    const cut = spoken(['I', 'do', "n't", 'know', '.'], 0, 100, { text: "I don't know." });
    expect(cues([cut])[0]!.lines).toEqual(["I don't know."]);
    const texts = [...'今日は天気がいいですね'];
    expect(cues([spoken(texts, 0, 100, { text: texts.join('') })])[0]!.lines).toEqual([texts.join('')]);
    const long = Array.from({ length: 100 }, () => '語');
    for (const { lines } of cues([spoken(long, 0, 10, { text: long.join('') })])) {
      for (const line of lines) expect([...line].length).toBeLessThanOrEqual(42);
    }
  });

  it('show a word that lasts too long for six seconds only', () => {
    expect(cues([spoken(['aaah'], 1000, 60_000)])).toMatchObject([{ startMs: 1000, endMs: 7000 }]);
  });
});

describe('WebVTT', () => {
  it('escapes what has a meaning in it', () => {
    const vtt = toVtt([spoken(['a', '-->', '<b>', '&amp;'], 0, 100, { speakerId: 'S<1>\n' })]);
    expect(vtt).toBe('WEBVTT\n\n00:00:00.000 --> 00:00:00.400\n<v S&lt;1&gt;>a --&gt; &lt;b&gt; &amp;amp;\n');
  });

  it('is a valid file where nothing was said', () => {
    expect(toVtt([])).toBe('WEBVTT\n\n');
    expect(toVtt([utterance(' \n ', 0, 1)])).toBe('WEBVTT\n\n');
  });

  it('has times of hours', () => {
    expect(toVtt([spoken(['late'], 100 * 3_600_000 + 61_007, 993)])).toContain(
      '100:01:01.007 --> 100:01:02.000',
    );
  });
});

describe('SubRip', () => {
  it('counts cues and has commas in its times', () => {
    expect(toSrt([spoken(['one'], 0, 500), spoken(['two'], 1000, 500)])).toBe(
      '1\n00:00:00,000 --> 00:00:00,500\none\n\n2\n00:00:01,000 --> 00:00:01,500\ntwo\n',
    );
  });
});

describe('speakers', () => {
  const talk = [
    spoken(['hello'], 0, 500, { speakerId: 'sp1' }),
    spoken(['again'], 1000, 500, { speakerId: 'sp1' }),
    spoken(['yes'], 2000, 500, { speakerId: 'sp2' }),
    spoken(['hum'], 3000, 500),
  ];

  it('are voices in WebVTT', () => {
    const spans = toVtt(talk)
      .split('\n')
      .filter((line) => /^[<a-z]/.test(line));
    expect(spans).toEqual(['<v sp1>hello', '<v sp1>again', '<v sp2>yes', 'hum']);
  });

  it('are named in SubRip where another one begins', () => {
    const lines = toSrt(talk)
      .split('\n')
      .filter((line) => /^[a-z]/.test(line));
    expect(lines).toEqual(['sp1: hello', 'again', 'sp2: yes', 'hum']);
  });

  it('are named on each line of plain text', () => {
    expect(toText(talk)).toBe('sp1: hello\nsp1: again\nsp2: yes\nhum\n');
  });
});

describe('plain text', () => {
  it('has an utterance a line', () => {
    expect(toText([utterance('one\n\ntwo', 0, 1), utterance(' three ', 1, 2)])).toBe('one two\nthree\n');
  });
});
